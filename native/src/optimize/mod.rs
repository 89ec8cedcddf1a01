//! Fused graphs: made once, compared with the original ones on the engine that
//! runs them, and cached.

mod cache;
mod onnxruntime;
#[cfg(feature = "tract")]
mod tract;

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::equivalence::Probes;
use multivec_core::model::WeightsFile;
use multivec_core::{Backend, GraphForm, ModelKind, ModelParts, Precision, Result};
use multivec_graph::lower::{self, Operators};
use multivec_graph::{self as graph, Fused, Graph};
use multivec_kernels::{Granularity, SharedGranularity};

use crate::model::{Halves, ModelDirectory, ModelGraph, assemble_to_write};
use crate::trace::event;
use cache::{Cache, Verdict};
pub(crate) use onnxruntime::OrtGraphs;
#[cfg(feature = "tract")]
pub(crate) use tract::TractGraphs;

/// To be incremented when fusing changes.
const VERSION: u32 = 22;

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
    /// Loads the original graph.
    pub(crate) fn load(&self) -> Result<R::Backend> {
        self.runner.open_original(GraphForm::Original)
    }

    /// Loads the fused graph if it gives the same vectors, otherwise the
    /// original. The result is kept in `cache`, by default the user's.
    pub(crate) fn load_fused(&self, cache: Option<&Path>) -> Result<R::Backend> {
        if !self.runner.wants_fused() {
            return self.load();
        }
        let cache = Cache::open(cache, &self.key());
        match cache.as_ref().and_then(Cache::read) {
            Some(Verdict::Original) => return self.load(),
            Some(Verdict::Refused { distance }) => {
                return self.runner.open_original(GraphForm::Refused { distance });
            }
            // A damaged file is made again.
            Some(Verdict::Fused { fused, graph }) => {
                if let Some(backend) = self.open_kept(fused, graph) {
                    event!(DEBUG, "the fused graph comes from the cache");
                    return Ok(backend);
                }
            }
            None => {}
        }
        self.try_fused(cache.as_ref())
    }

    /// Loads the fused graph without comparing it, for callers that compare
    /// vectors themselves.
    #[cfg(feature = "quantize")]
    pub(crate) fn load_unchecked(&self) -> Result<R::Backend> {
        let mut graph = self.runner.model().graph.clone();
        let fused = graph::fuse(&mut graph);
        Ok(self.runner.open_fused(graph, fused)?.0)
    }

    fn open_kept(&self, fused: Fused, graph: Vec<u8>) -> Option<R::Backend> {
        let model = self.runner.model();
        let kept = Graph::parse(model.file(), graph.into()).ok()?;
        let graph = kept.with_weights_of(&model.graph)?;
        Some(self.runner.open_fused(graph, fused).ok()?.0)
    }

    fn try_fused(&self, cache: Option<&Cache>) -> Result<R::Backend> {
        let original_graph = &self.runner.model().graph;
        let mut graph = original_graph.clone();
        let fused = graph::fuse(&mut graph);
        if !self.runner.gains_by(&fused) {
            keep(cache, &Verdict::Original);
            return self.load();
        }
        // Never both at once, to save memory.
        let mut probes = Probes::new(self.parts.tokenizer(), self.parts.config().document_length);
        if self.parts.kind() == ModelKind::CrossEncoder {
            probes = probes.as_pairs();
        }
        let original = self.load()?;
        // If the original fails, so does making the encoder, which reports it.
        let Ok(expected) = probes.run(&original) else {
            return Ok(original);
        };
        drop(original);
        let kept = graph.clone().without_weights_of(original_graph);
        // While comparing, activations are quantized as in the original graph,
        // so that only the order of additions differs.
        let compared = self
            .runner
            .open_fused(graph, fused)
            .and_then(|(backend, granularity)| {
                granularity.set(Granularity::Tensor);
                let found = probes.run(&backend)?;
                granularity.set(Granularity::Row);
                Ok((found, backend))
            });
        // A graph that does not run differs infinitely.
        let mut distance = f32::INFINITY;
        if let Ok((found, backend)) = compared {
            let difference = probes.compare(&expected, &found, self.precision);
            event!(
                DEBUG,
                distance = difference.distance,
                bound = difference.bound,
                "fused and original graph compared"
            );
            if difference.is_within_bound() {
                let graph = kept.into_bytes();
                keep(cache, &Verdict::Fused { fused, graph });
                return Ok(backend);
            }
            distance = difference.distance;
        }
        event!(
            WARN,
            file = self.runner.model().file(),
            distance = distance,
            "the fused graph gives other vectors: the original graph runs"
        );
        keep(cache, &Verdict::Refused { distance });
        self.runner.open_original(GraphForm::Refused { distance })
    }

    fn key(&self) -> String {
        format!(
            "{}-{}-{:?}-{}-{VERSION}-{}",
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

/// Writes a verdict to the cache. If that fails, the next load compares again.
fn keep(cache: Option<&Cache>, verdict: &Verdict) {
    if let Some(cache) = cache {
        let _: std::io::Result<()> = cache.write(verdict);
    }
}
