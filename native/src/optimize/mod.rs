//! Fused graphs: made once, checked against the published ones on the engine
//! that is to run them, and kept.

mod cache;
mod onnxruntime;
#[cfg(feature = "tract")]
mod tract;

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::equivalence::Probes;
use multivec_core::{Backend, GraphForm, ModelParts, Precision, Result};
use multivec_graph::{self as graph, Fused, Graph, Operators};
use multivec_kernels::{Granularity, SharedGranularity};

use crate::model::ModelGraph;
use cache::{Cache, Verdict};
pub(crate) use onnxruntime::OrtGraphs;
#[cfg(feature = "tract")]
pub(crate) use tract::TractGraphs;

/// Changes with every change of what is fused, and how.
const VERSION: u32 = 10;

/// What runs a model's graphs.
pub(crate) trait GraphRunner {
    type Backend: Backend;

    /// The model, as it was published.
    fn model(&self) -> &ModelGraph;

    /// Whether fused graphs run at all.
    fn wants_fused(&self) -> bool;

    /// Whether what was fused in a graph runs better for it.
    fn gains_by(&self, fused: &Fused) -> bool;

    /// Names what decides which vectors a graph gives.
    fn key(&self) -> String;

    /// Opens the published graph.
    fn open_original(&self, form: GraphForm) -> Result<Self::Backend>;

    /// Opens a fused one; its layers quantize their rows as is set.
    fn open_fused(&self, graph: Graph, fused: Fused) -> Result<(Self::Backend, SharedGranularity)>;
}

/// A model on its way into an engine.
pub(crate) struct GraphLoader<'a, R> {
    pub(crate) runner: R,
    pub(crate) parts: &'a ModelParts,
    pub(crate) precision: Precision,
    pub(crate) normalization: Normalization,
    /// Hash of the weights.
    pub(crate) content: String,
}

impl<R: GraphRunner> GraphLoader<'_, R> {
    /// Loads the graph as it was published.
    pub(crate) fn load(&self) -> Result<R::Backend> {
        self.runner.open_original(GraphForm::Original)
    }

    /// Loads the fused graph where it gives the same vectors. What was found
    /// out is kept in `cache`, the user's own without one.
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
            // A file that was damaged since is made again.
            Some(Verdict::Fused { fused, graph }) => {
                if let Some(backend) = self.open_kept(fused, graph) {
                    return Ok(backend);
                }
            }
            None => {}
        }
        self.try_fused(cache.as_ref())
    }

    /// Loads the fused graph without a comparison, for graphs whose vectors
    /// are compared anyway.
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
        let published_graph = &self.runner.model().graph;
        let mut graph = published_graph.clone();
        let fused = graph::fuse(&mut graph);
        if !self.runner.gains_by(&fused) {
            keep(cache, &Verdict::Original);
            return self.load();
        }
        // One after the other, so that memory never holds both.
        let probes = Probes::new(self.parts.tokenizer(), self.parts.config().document_length);
        let published = self.load()?;
        // What fails now is told when the encoder is put together.
        let Ok(expected) = probes.run(&published) else {
            return Ok(published);
        };
        drop(published);
        let kept = graph.clone().without_weights_of(published_graph);
        // Activations are quantized as the published graph does it, so that
        // nothing but the order of additions may differ.
        let answer = self
            .runner
            .open_fused(graph, fused)
            .and_then(|(backend, granularity)| {
                granularity.set(Granularity::Tensor);
                let found = probes.run(&backend)?;
                granularity.set(Granularity::Row);
                Ok((found, backend))
            });
        // A graph that does not run is as far away as can be.
        let mut distance = f32::INFINITY;
        if let Ok((found, backend)) = answer {
            let difference = probes.compare(&expected, &found, self.precision);
            if difference.is_within_bound() {
                let graph = kept.into_bytes();
                keep(cache, &Verdict::Fused { fused, graph });
                return Ok(backend);
            }
            distance = difference.distance;
        }
        keep(cache, &Verdict::Refused { distance });
        self.runner.open_original(GraphForm::Refused { distance })
    }

    fn key(&self) -> String {
        format!(
            "{}-{:?}-{}-{VERSION}-{}",
            self.content,
            self.normalization,
            self.precision,
            self.runner.key()
        )
    }
}

/// The fused form of a model file, for any library of ONNX Runtime, and what
/// was fused in it. Weights in files of their own stay there; the graph names
/// them as before.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the file cannot be read,
/// [`Error::InvalidModel`](crate::Error::InvalidModel) if it is no ONNX model.
pub fn optimize_graph(model: &Path) -> Result<(Vec<u8>, Fused)> {
    let model = ModelGraph::open(model)?;
    let mut graph = model.graph;
    let fused = graph::fuse(&mut graph);
    graph::for_onnxruntime(&mut graph, Operators::Contrib);
    model.weights.fill(&mut graph)?;
    Ok((graph.into_bytes(), fused))
}

/// A cache that cannot be written is no reason to fail: the next load is
/// slower, that is all.
fn keep(cache: Option<&Cache>, verdict: &Verdict) {
    if let Some(cache) = cache {
        let _: std::io::Result<()> = cache.write(verdict);
    }
}
