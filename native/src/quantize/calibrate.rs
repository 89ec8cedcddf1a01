//! What the layers of the FP32 model read.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use multivec_core::batch::{BatchLimit, TokenBatch};
use multivec_core::fidelity::{EncodedSample, Sample};
use multivec_core::{Backend, BackendInfo, ModelParts, Result, RunMode, TokenStates};
use multivec_graph::quantize::{CalibrationStats, Smoothable};

use super::failed;
use super::trials::{encode, published};
use super::workspace::Workspace;
use crate::OnnxRuntime;
use crate::onnxruntime::OrtBackend;

/// Runs the FP32 model, as it was published, on a sample: what it makes of it,
/// and what was seen of each value.
pub(super) fn observe(
    (runtime, parts): (&OnnxRuntime, &ModelParts),
    (workspace, values): (&Workspace, &[Smoothable]),
    sample: &Sample,
) -> Result<(EncodedSample, Vec<CalibrationStats>)> {
    let mut model = workspace.reference();
    for one in values {
        model.graph.add_output(&one.value);
    }
    // From a file, since not every ONNX Runtime looks for weights beside a
    // model in memory.
    let path = workspace.folder().join("reference.onnx");
    let bytes = model.graph.clone().into_bytes();
    fs::write(&path, bytes).map_err(|error| failed(&path, "writing", error))?;
    model.path = Some(path);
    let observed = Arc::new(Mutex::new(vec![CalibrationStats::default(); values.len()]));
    let observing = Observing {
        backend: published(runtime, parts, &model).load()?,
        names: values.iter().map(|one| one.value.clone()).collect(),
        observed: Arc::clone(&observed),
    };
    // Alone, so that no row is padding.
    let expected = encode(parts, observing, sample, BatchLimit::Texts(1))?;
    let observed = std::mem::take(&mut *observed.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((expected, observed))
}

/// A backend that looks at what passes by.
struct Observing {
    backend: OrtBackend,
    names: Vec<String>,
    observed: Arc<Mutex<Vec<CalibrationStats>>>,
}

impl Backend for Observing {
    fn info(&self) -> &BackendInfo {
        self.backend.info()
    }

    fn run(&self, batch: &TokenBatch, _: RunMode) -> Result<TokenStates> {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut observe = |at: usize, shape: &[i64], rows: &[f32]| {
            let columns = shape.last().and_then(|&last| usize::try_from(last).ok());
            if let (Some(observed), Some(columns)) = (observed.get_mut(at), columns) {
                observed.add(rows, columns);
            }
        };
        self.backend.run_observed(batch, &self.names, &mut observe)
    }
}
