//! Statistics of what the layers of the FP32 model read.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use multivec_core::batch::{BatchLimit, TokenBatch};
use multivec_core::fidelity::EncodedSample;
use multivec_core::{Backend, BackendInfo, Result, RunMode, TokenStates};
use multivec_graph::quantize::{CalibrationStats, Smoothable};

use super::error::failed;
use super::trials::Trials;
use super::workspace::Workspace;
use crate::onnxruntime::OrtBackend;

/// The FP32 model on a sample.
pub(super) struct Calibration {
    pub(super) encoded: EncodedSample,
    /// For each value.
    pub(super) stats: Vec<CalibrationStats>,
}

/// Runs the original FP32 model on a sample.
pub(super) fn calibrate(
    trials: &Trials<'_>,
    workspace: &Workspace,
    values: &[Smoothable],
) -> Result<Calibration> {
    let mut model = workspace.reference();
    for one in values {
        model.graph.add_output(&one.value);
    }
    // From a file, since some versions of ONNX Runtime do not find the external
    // weights of a model in memory.
    let path = workspace.folder().join("reference.onnx");
    let bytes = model.graph.clone().into_bytes();
    fs::write(&path, bytes).map_err(|error| failed(&path, "writing", error))?;
    model.path = Some(path);
    let stats = Arc::new(Mutex::new(vec![CalibrationStats::default(); values.len()]));
    let backend = Calibrating {
        backend: trials.loader(&model).load()?,
        names: values.iter().map(|one| one.value.clone()).collect(),
        stats: Arc::clone(&stats),
    };
    // One text at a time, so that no row is padding.
    let encoded = trials.encode(backend, BatchLimit::Texts(1))?;
    let stats = std::mem::take(&mut *stats.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Calibration { encoded, stats })
}

/// A backend that collects statistics of the outputs named.
struct Calibrating {
    backend: OrtBackend,
    names: Vec<String>,
    stats: Arc<Mutex<Vec<CalibrationStats>>>,
}

impl Backend for Calibrating {
    fn info(&self) -> &BackendInfo {
        self.backend.info()
    }

    fn run(&self, batch: &TokenBatch, _: RunMode) -> Result<TokenStates> {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = |at: usize, shape: &[i64], rows: &[f32]| {
            let columns = shape.last().and_then(|&last| usize::try_from(last).ok());
            if let (Some(stats), Some(columns)) = (stats.get_mut(at), columns) {
                stats.add(rows, columns);
            }
        };
        self.backend.run_with_outputs(batch, &self.names, &mut add)
    }
}
