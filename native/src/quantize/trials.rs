//! Runs of a model on the built-in sample.

use std::collections::BTreeSet;

use multivec_core::batch::BatchLimit;
use multivec_core::encoder::Normalization;
use multivec_core::fidelity::{Comparison, Cosines, EncodedSample, Sample};
use multivec_core::{
    Backend, EncodeOptions, Encoder, ModelParts, Precision, Result, WeightsHasher,
};

use super::report::Fidelity;
use super::workspace::Workspace;
use crate::OnnxRuntime;
use crate::model::ModelGraph;
use crate::onnxruntime::SessionSettings;
use crate::optimize::{GraphLoader, OrtGraphs};
use crate::options::{Arena, Parallelism, Provider};

/// The sample as the FP32 model encodes it, and what it takes to have other
/// models encode it.
pub(super) struct Trials<'a> {
    pub(super) runtime: &'a OnnxRuntime,
    pub(super) parts: &'a ModelParts,
    pub(super) workspace: &'a Workspace,
    pub(super) sample: Sample,
    pub(super) expected: EncodedSample,
}

impl Trials<'_> {
    /// Runs the model with these layers in floats, and all others in 8 bits.
    pub(super) fn measure(&mut self, kept: &BTreeSet<usize>) -> Result<Fidelity> {
        let model = self.workspace.without(kept);
        let backend = published(self.runtime, self.parts, &model).load_unchecked()?;
        let found = encode(self.parts, backend, &self.sample, BatchLimit::Auto)?;
        let cosines = Cosines::of(Comparison::new(&self.expected, &found)?)?;
        Ok(Fidelity::from(&cosines))
    }
}

pub(super) fn published<'a>(
    runtime: &'a OnnxRuntime,
    parts: &'a ModelParts,
    model: &'a ModelGraph,
) -> GraphLoader<'a, OrtGraphs<'a>> {
    GraphLoader {
        runner: OrtGraphs {
            runtime,
            model,
            precision: Precision::Int8,
            settings: SessionSettings {
                provider: Provider::Cpu,
                parallelism: Parallelism {
                    sessions: 1,
                    threads: std::thread::available_parallelism().map_or(1, usize::from),
                    wide: 0,
                },
                arena: Arena::default(),
            },
        },
        parts,
        precision: Precision::Int8,
        normalization: Normalization::L2,
        content: String::new(),
    }
}

pub(super) fn encode(
    parts: &ModelParts,
    backend: impl Backend + 'static,
    sample: &Sample,
    batch_limit: BatchLimit,
) -> Result<EncodedSample> {
    let mut options = EncodeOptions::default();
    options.batch_limit = batch_limit;
    let backend = Box::new(backend);
    let encoder = Encoder::new(parts.clone(), backend, WeightsHasher::new(), &options)?;
    EncodedSample::new(&encoder, sample)
}
