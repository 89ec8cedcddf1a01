//! Fused graphs for ONNX Runtime: made once, checked against the published
//! ones, and kept.

mod cache;

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::equivalence::Probes;
use multivec_core::graph::{self, Bytes, Fused, Graph, Layers, Operators};
use multivec_core::kernels::{self, Granularity};
use multivec_core::{GraphForm, ModelParts, Precision, Result};

use crate::load::{ModelGraph, Provider, read_tensor};
use crate::onnxruntime::{Kernels, OnnxRuntime, OrtBackend, SessionGraph, SessionSettings};
use cache::{Cache, Verdict};

/// Changes with every change of what is fused, and how.
const VERSION: u32 = 6;

/// A model on its way into ONNX Runtime.
pub(crate) struct Published<'a> {
    pub(crate) runtime: &'a OnnxRuntime,
    pub(crate) parts: &'a ModelParts,
    pub(crate) model: &'a ModelGraph,
    pub(crate) precision: Precision,
    pub(crate) normalization: Normalization,
    pub(crate) settings: SessionSettings,
    /// Hash of the weights.
    pub(crate) content: String,
}

impl Published<'_> {
    /// Loads the graph as it was published.
    pub(crate) fn load(&self) -> Result<OrtBackend> {
        self.open_published(GraphForm::Published)
    }

    /// Loads the fused graph where it gives the same vectors. What was found
    /// out is kept in `cache`, the user's own without one.
    pub(crate) fn load_fused(&self, cache: Option<&Path>) -> Result<OrtBackend> {
        // Other providers compile graphs themselves, and know standard
        // operators best.
        if !matches!(self.settings.provider, Provider::Cpu | Provider::Cuda(_)) {
            return self.load();
        }
        let cache = Cache::open(cache, &self.key());
        match cache.as_ref().and_then(Cache::read) {
            Some(Verdict::Published) => return self.load(),
            Some(Verdict::Refused { distance }) => {
                return self.open_published(GraphForm::Refused { distance });
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
    pub(crate) fn load_unchecked(&self) -> Result<OrtBackend> {
        let mut graph = self.parse()?;
        let fused = graph::fuse(&mut graph);
        Ok(self.open_fused(graph, fused)?.0)
    }

    fn open_kept(&self, fused: Fused, graph: Vec<u8>) -> Option<OrtBackend> {
        let kept = Graph::parse(&self.model.file, graph.into()).ok()?;
        let graph = kept.with_weights_of(&self.parse().ok()?)?;
        Some(self.open_fused(graph, fused).ok()?.0)
    }

    fn try_fused(&self, cache: Option<&Cache>) -> Result<OrtBackend> {
        let published_graph = self.parse()?;
        let mut graph = published_graph.clone();
        let fused = graph::fuse(&mut graph);
        if fused.is_plain() {
            keep(cache, &Verdict::Published);
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
        let kept = graph.clone().without_weights_of(&published_graph);
        drop(published_graph);
        // Activations are quantized as the published graph does it, so that
        // nothing but the order of additions may differ.
        let answer = self
            .open_fused(graph, fused)
            .and_then(|(backend, kernels)| {
                kernels.set_granularity(Granularity::Tensor);
                let found = probes.run(&backend)?;
                kernels.set_granularity(Granularity::Row);
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
        self.open_published(GraphForm::Refused { distance })
    }

    fn parse(&self) -> Result<Graph> {
        Graph::parse(&self.model.file, self.model.bytes.clone())
    }

    fn open_published(&self, form: GraphForm) -> Result<OrtBackend> {
        let source = match &self.model.path {
            Some(path) => SessionGraph::File(path.clone()),
            None => SessionGraph::Memory(self.model.bytes.clone()),
        };
        self.open(source, form, &Kernels::none())
    }

    fn open_fused(&self, mut graph: Graph, fused: Fused) -> Result<(OrtBackend, Kernels)> {
        let mut kernels = Kernels::none();
        let runs_kernels = self.settings.provider == Provider::Cpu && kernels::are_fast();
        let operators = match runs_kernels {
            true => Operators::Kernels,
            false => Operators::Contrib,
        };
        if operators == Operators::Kernels {
            let file = &self.model.file;
            let external = |tensor: &_| read_tensor(tensor, self.model);
            let layers = graph::pack_linears(&mut graph, Layers::Quantized, file, &external)?;
            kernels = Kernels::new(layers, self.settings.parallelism.threads);
        }
        graph::for_onnxruntime(&mut graph, operators);
        let source = SessionGraph::Memory(graph.into_bytes().into());
        let backend = self.open(source, GraphForm::Fused(fused), &kernels)?;
        Ok((backend, kernels))
    }

    fn open(&self, graph: SessionGraph, form: GraphForm, kernels: &Kernels) -> Result<OrtBackend> {
        OrtBackend::load(
            self.runtime,
            self.model,
            (graph, form, kernels),
            (self.precision, self.settings.clone()),
        )
    }

    fn key(&self) -> String {
        format!(
            "{}-{:?}-{}-{}-{VERSION}-{}",
            self.content,
            self.normalization,
            self.precision,
            self.settings.provider,
            self.runtime.version()
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
    let file = model.display().to_string();
    let bytes: Bytes = crate::load::read(model)?.into();
    let mut graph = Graph::parse(&file, bytes)?;
    let fused = graph::fuse(&mut graph);
    graph::for_onnxruntime(&mut graph, Operators::Contrib);
    Ok((graph.into_bytes(), fused))
}

/// A cache that cannot be written is no reason to fail: the next load is
/// slower, that is all.
fn keep(cache: Option<&Cache>, verdict: &Verdict) {
    if let Some(cache) = cache {
        let _: std::io::Result<()> = cache.write(verdict);
    }
}
