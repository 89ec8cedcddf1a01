//! Options and progress of quantization.

use std::path::PathBuf;

use multivec_core::{Error, Result};
use multivec_graph::quantize::WeightRange;

use super::fidelity::FidelityTarget;

/// The maximum size of an ONNX file, 2 GiB, less 1 MiB for everything but the
/// weights.
const EXTERNAL_ABOVE: u64 = (1 << 31) - (1 << 20);

/// Options of [`quantize_model`](crate::quantize_model).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizeOptions {
    /// How close the INT8 model has to come to the FP32 model.
    pub target: FidelityTarget,
    /// The range of quantized weights.
    pub range: WeightRange,
    /// The maximum number of times that the model runs on the sample, at least
    /// 8. With fewer, more layers are judged together.
    pub measurements: usize,
    /// Larger models, in bytes, get an external file for their weights, as the
    /// format requires above 2 GiB.
    pub external_above: u64,
    /// What to do if the output exists.
    pub existing: Existing,
    /// The ONNX Runtime library; searched for by default, see
    /// [`OnnxRuntime::load`](crate::OnnxRuntime::load).
    pub library: Option<PathBuf>,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        Self {
            target: FidelityTarget::default(),
            range: WeightRange::default(),
            measurements: 128,
            external_above: EXTERNAL_ABOVE,
            existing: Existing::default(),
            library: None,
        }
    }
}

/// Progress of [`quantize_model`](crate::quantize_model).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuantizeStep {
    /// Layers have been quantized.
    Weights {
        /// Layers done.
        done: usize,
        /// All layers.
        of: usize,
    },
    /// The model has run on the sample.
    Measured {
        /// Runs so far.
        done: usize,
        /// Maximum number of runs.
        of: usize,
    },
}

/// What to do if the INT8 model exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// Keep it and fail.
    #[default]
    Refuse,
    /// Replace it once the new one is complete.
    Replace,
}

impl QuantizeOptions {
    pub(super) fn check(&self) -> Result<()> {
        self.target.check()?;
        let found = self.measurements;
        if found < 8 {
            return Err(Error::option("measurements", "8 or more", found));
        }
        Ok(())
    }
}
