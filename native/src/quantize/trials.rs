//! Runs of a model on the built-in sample.

use std::collections::BTreeSet;
use std::fs;

use multivec_core::encoder::Normalization;
use multivec_core::fidelity::{Comparison, Cosines, EncodedSample, Sample};
use multivec_core::{
    Backend, EncodeOptions, Encoder, ModelParts, Precision, Result, WeightsHasher,
};

use super::failed;
use super::report::Fidelity;
use super::workspace::Workspace;
use crate::OnnxRuntime;
use crate::load::{Arena, ModelGraph, Parallelism, Provider};
use crate::onnxruntime::SessionSettings;
use crate::optimize::{OrtGraphs, Published};

/// The sample as the FP32 model encodes it, and what it takes to have other
/// models encode it.
pub(super) struct Trials<'a> {
    runtime: &'a OnnxRuntime,
    parts: &'a ModelParts,
    workspace: &'a Workspace,
    sample: Sample,
    expected: EncodedSample,
}

impl<'a> Trials<'a> {
    /// Runs the FP32 model, as it was published.
    pub(super) fn new(
        runtime: &'a OnnxRuntime,
        parts: &'a ModelParts,
        workspace: &'a Workspace,
    ) -> Result<Self> {
        // From a file, since not every ONNX Runtime looks for weights beside a
        // model in memory.
        let mut model = workspace.reference();
        let path = workspace.folder().join("reference.onnx");
        let bytes = model.graph.clone().into_bytes();
        fs::write(&path, bytes).map_err(|error| failed(&path, "writing", error))?;
        model.path = Some(path);
        let backend = published(runtime, parts, &model).load()?;
        let sample = Sample::built_in();
        Ok(Self {
            expected: encode(parts, backend, &sample)?,
            runtime,
            parts,
            workspace,
            sample,
        })
    }

    /// Runs the model with these layers in floats, and all others in 8 bits.
    pub(super) fn measure(&mut self, kept: &BTreeSet<usize>) -> Result<Fidelity> {
        let model = self.workspace.without(kept);
        let backend = published(self.runtime, self.parts, &model).load_unchecked()?;
        let found = encode(self.parts, backend, &self.sample)?;
        let cosines = Cosines::of(Comparison::new(&self.expected, &found)?)?;
        Ok(Fidelity::from(&cosines))
    }
}

fn published<'a>(
    runtime: &'a OnnxRuntime,
    parts: &'a ModelParts,
    model: &'a ModelGraph,
) -> Published<'a, OrtGraphs<'a>> {
    Published {
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

fn encode(
    parts: &ModelParts,
    backend: impl Backend + 'static,
    sample: &Sample,
) -> Result<EncodedSample> {
    let options = EncodeOptions::default();
    let backend = Box::new(backend);
    let encoder = Encoder::new(parts.clone(), backend, WeightsHasher::new(), &options)?;
    EncodedSample::new(&encoder, sample)
}
