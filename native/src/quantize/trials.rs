//! Runs of a model on the built-in sample.

use multivec_core::batch::BatchLimit;
use multivec_core::encoder::Normalization;
use multivec_core::fidelity::{Comparison, Cosines, EncodedSample, Sample};
use multivec_core::{
    AnyEncoder, Backend, EncodeOptions, ModelParts, Precision, Result, WeightsHasher,
};

use super::fidelity::Fidelity;
use crate::model::ModelGraph;
use crate::onnxruntime::{OnnxRuntime, SessionSettings};
use crate::optimize::{GraphLoader, OrtGraphs};
use crate::options::{Arena, Parallelism, Provider, cores};

/// What trials have in common.
pub(super) struct Trials<'a> {
    pub(super) runtime: &'a OnnxRuntime,
    pub(super) parts: &'a ModelParts,
    pub(super) sample: Sample,
}

impl Trials<'_> {
    /// Compares a model with the FP32 model, whose vectors are `expected`.
    pub(super) fn measure(&self, model: &ModelGraph, expected: &EncodedSample) -> Result<Fidelity> {
        let backend = self.loader(model).load_unchecked()?;
        let found = self.encode(backend, BatchLimit::Auto)?;
        let cosines = Cosines::of(Comparison::new(expected, &found)?)?;
        Ok(Fidelity::from(&cosines))
    }

    pub(super) fn loader<'a>(&'a self, model: &'a ModelGraph) -> GraphLoader<'a, OrtGraphs<'a>> {
        GraphLoader {
            runner: OrtGraphs {
                runtime: self.runtime,
                model,
                precision: Precision::Int8,
                settings: SessionSettings {
                    provider: Provider::Cpu,
                    parallelism: Parallelism {
                        sessions: 1,
                        threads: cores(),
                        wide: 0,
                    },
                    arena: Arena::default(),
                },
            },
            parts: self.parts,
            precision: Precision::Int8,
            normalization: Normalization::L2,
            content: String::new(),
        }
    }

    pub(super) fn encode(
        &self,
        backend: impl Backend + 'static,
        batch_limit: BatchLimit,
    ) -> Result<EncodedSample> {
        let mut options = EncodeOptions::default();
        options.batch_limit = batch_limit;
        let (parts, backend) = (self.parts.clone(), Box::new(backend));
        let encoder = AnyEncoder::new(parts, backend, WeightsHasher::new(), &options)?;
        EncodedSample::of_any(&encoder, &self.sample)
    }
}
