//! Fused graphs: made once, compared with the original ones on the engine that
//! runs them, timed beside them, and cached.

mod cache;
mod choice;
mod onnxruntime;
mod race;
#[cfg(feature = "tract")]
mod tract;

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::model::WeightsFile;
use multivec_core::{Backend, FormSpeed, GraphForm, ModelParts, Precision, Result};
use multivec_graph::lower::{self, Operators};
use multivec_graph::{self as graph, Fused, Graph};
use multivec_kernels::{SharedGranularity, instruction_set};

use crate::model::{Halves, ModelDirectory, ModelGraph, assemble_to_write};
use crate::options::{LoadOptions, Optimization};
use cache::Cache;
use choice::Choice;
pub(crate) use onnxruntime::OrtGraphs;
#[cfg(feature = "tract")]
pub(crate) use tract::TractGraphs;

/// To be incremented when fusing changes.
const VERSION: u32 = 26;

/// An engine that runs a model's graphs.
pub(crate) trait GraphRunner {
    type Backend: Backend;

    /// The original model.
    fn model(&self) -> &ModelGraph;

    /// Whether to fuse graphs at all.
    fn wants_fused(&self) -> bool;

    /// Whether a graph with these operators fused is faster than the original.
    fn gains_by(&self, fused: &Fused) -> bool;

    /// Names everything of the engine that affects a graph's vectors.
    fn key(&self) -> String;

    /// Opens the original graph.
    fn open_original(&self, form: GraphForm) -> Result<Self::Backend>;

    /// Opens a fused graph. The granularity sets how its layers quantize
    /// activations, also afterwards.
    fn open_fused(&self, graph: Graph, fused: Fused) -> Result<(Self::Backend, SharedGranularity)>;

    /// States how fast both forms are.
    fn with_speed(&self, backend: Self::Backend, speed: FormSpeed) -> Self::Backend;
}

/// Loads a model's graph, fused or not, into an engine.
pub(crate) struct GraphLoader<'a, R> {
    pub(crate) runner: R,
    pub(crate) parts: &'a ModelParts,
    pub(crate) precision: Precision,
    pub(crate) normalization: Normalization,
    /// Hash of the weights.
    pub(crate) content: String,
}

impl<R: GraphRunner> GraphLoader<'_, R> {
    /// Loads the form of the graph that the options ask for.
    pub(crate) fn load_as(&self, options: &LoadOptions) -> Result<R::Backend> {
        if options.optimization == Optimization::Off || !self.runner.wants_fused() {
            return self.load();
        }
        let choice = Choice {
            loader: self,
            optimization: options.optimization,
            cache: Cache::open(options.cache_dir.as_deref(), &self.key()),
        };
        choice.load()
    }

    /// Loads the original graph.
    pub(crate) fn load(&self) -> Result<R::Backend> {
        self.runner.open_original(GraphForm::Original)
    }

    /// Loads the fused graph without comparing it, for callers that compare
    /// vectors themselves.
    #[cfg(feature = "quantize")]
    pub(crate) fn load_unchecked(&self) -> Result<R::Backend> {
        let mut graph = self.runner.model().graph.clone();
        let fused = graph::fuse(&mut graph);
        Ok(self.runner.open_fused(graph, fused)?.0)
    }

    fn key(&self) -> String {
        // An unknown limit was refused before anything was loaded.
        let kernels = instruction_set().map_or("plain", |set| set.name);
        format!(
            "{}-{}-{:?}-{}-{VERSION}-{kernels}-{}",
            self.content,
            self.parts.kind(),
            self.normalization,
            self.precision,
            self.runner.key()
        )
    }
}

/// The fused form of a model file, for any library of ONNX Runtime, and what
/// was fused in it. Weights in external files stay there, and the graph refers
/// to them as before.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the file cannot be read,
/// [`Error::InvalidModel`](crate::Error::InvalidModel) if it is no ONNX model.
pub fn optimize_graph(model: &Path) -> Result<(Vec<u8>, Fused)> {
    optimized(ModelGraph::open(model)?)
}

/// As [`optimize_graph`], of weights in any form, with what follows the
/// transformer.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) for files that cannot be read, and those of
/// models that are not valid.
pub fn optimize_model(
    directory: &ModelDirectory,
    weights: &WeightsFile,
) -> Result<(Vec<u8>, Fused)> {
    optimized(assemble_to_write(directory, weights, Halves::Widened)?.model)
}

fn optimized(model: ModelGraph) -> Result<(Vec<u8>, Fused)> {
    let mut graph = model.graph;
    let fused = graph::fuse(&mut graph);
    lower::for_onnxruntime(&mut graph, Operators::Contrib);
    model.weights.fill(&mut graph)?;
    Ok((graph.into_bytes(), fused))
}
