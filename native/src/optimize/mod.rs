//! Fused graphs for ONNX Runtime: made once, checked against the published
//! ones, and kept.

mod cache;

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::equivalence::Probes;
use multivec_core::graph::{self, Fused, Graph};
use multivec_core::{GraphForm, ModelParts, Precision, Result};

use crate::load::Parallelism;
use crate::onnxruntime::{GraphSource, OnnxRuntime, OrtBackend};
use cache::{Cache, Verdict};

/// Changes with every change of what is fused, and how.
const VERSION: u32 = 1;

/// A model on its way into ONNX Runtime.
pub(crate) struct Published<'a> {
    pub(crate) runtime: &'a OnnxRuntime,
    pub(crate) parts: &'a ModelParts,
    pub(crate) file: &'a str,
    pub(crate) graph: &'a GraphSource<'a>,
    pub(crate) precision: Precision,
    pub(crate) normalization: Normalization,
    pub(crate) parallelism: Parallelism,
    /// Hash of the weights.
    pub(crate) content: String,
}

impl Published<'_> {
    /// Loads the graph as it was published.
    pub(crate) fn load(&self) -> Result<OrtBackend> {
        self.open(self.graph, GraphForm::Published, self.parallelism)
    }

    /// Loads the fused graph where it gives the same vectors. What was found
    /// out is kept in `cache`, the user's own without one.
    pub(crate) fn load_fused(&self, cache: Option<&Path>) -> Result<OrtBackend> {
        let cache = Cache::open(cache, &self.key());
        match cache.as_ref().and_then(Cache::read) {
            Some(Verdict::Published) => return self.load(),
            Some(Verdict::Refused { distance }) => {
                return self.open(
                    self.graph,
                    GraphForm::Refused { distance },
                    self.parallelism,
                );
            }
            Some(Verdict::Fused { fused, graph }) => {
                // The weights stay where the published graph has them.
                let source = match self.graph.folder() {
                    Some(folder) => GraphSource::Beside {
                        file: graph,
                        folder,
                    },
                    None => GraphSource::File(graph),
                };
                let form = GraphForm::Fused(fused);
                // A file that was damaged since is made again.
                if let Ok(backend) = self.open(&source, form, self.parallelism) {
                    return Ok(backend);
                }
            }
            None => {}
        }
        self.try_fused(cache.as_ref())
    }

    fn try_fused(&self, cache: Option<&Cache>) -> Result<OrtBackend> {
        let (graph, fused) = fuse(self.file, self.graph.bytes()?)?;
        if fused.is_empty() {
            keep(cache, &Verdict::Published);
            return self.load();
        }
        let graph = graph.into_bytes();
        let source = match self.graph.folder() {
            Some(folder) => GraphSource::Rewritten { graph, folder },
            None => GraphSource::Bytes(graph.into()),
        };
        // One after the other, so that memory never holds both.
        let probes = Probes::new(self.parts.tokenizer(), self.parts.config().document_length);
        let one = Parallelism {
            sessions: 1,
            ..self.parallelism
        };
        let published = self.open(self.graph, GraphForm::Published, one)?;
        // What fails now is told when the encoder is put together.
        let Ok(expected) = probes.run(&published) else {
            return self.load();
        };
        drop(published);
        let form = GraphForm::Fused(fused);
        let answer = self
            .open(&source, form, self.parallelism)
            .and_then(|backend| Ok((probes.run(&backend)?, backend)));
        // A graph that does not run is as far away as can be.
        let mut distance = f32::INFINITY;
        if let Ok((found, backend)) = answer {
            let difference = probes.compare(&expected, &found, self.precision);
            if difference.is_within_bound() {
                let graph = source.in_memory();
                keep(cache, &Verdict::Fused { fused, graph });
                return Ok(backend);
            }
            distance = difference.distance;
        }
        keep(cache, &Verdict::Refused { distance });
        self.open(
            self.graph,
            GraphForm::Refused { distance },
            self.parallelism,
        )
    }

    fn open(
        &self,
        graph: &GraphSource<'_>,
        form: GraphForm,
        parallelism: Parallelism,
    ) -> Result<OrtBackend> {
        OrtBackend::load(
            self.runtime,
            self.file,
            graph,
            form,
            self.precision,
            parallelism,
        )
    }

    fn key(&self) -> String {
        format!(
            "{}-{:?}-{}-{VERSION}-{}",
            self.content,
            self.normalization,
            self.precision,
            self.runtime.version()
        )
    }
}

/// The fused form of a model file, for ONNX Runtime, and what was fused in it.
/// Weights in files of their own stay there; the graph names them as before.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the file cannot be read,
/// [`Error::InvalidModel`](crate::Error::InvalidModel) if it is no ONNX model.
pub fn optimize_graph(model: &Path) -> Result<(Vec<u8>, Fused)> {
    let file = model.display().to_string();
    let (graph, fused) = fuse(&file, crate::load::read(model)?)?;
    Ok((graph.into_bytes(), fused))
}

/// The fused form of a graph.
///
/// # Errors
/// `InvalidModel` for bytes that are no ONNX model.
fn fuse(file: &str, bytes: Vec<u8>) -> Result<(Graph, Fused)> {
    let mut graph = Graph::parse(file, bytes.into())?;
    let fused = graph::fuse(&mut graph);
    graph::for_onnxruntime(&mut graph);
    Ok((graph, fused))
}

/// A cache that cannot be written is no reason to fail: the next load is
/// slower, that is all.
fn keep(cache: Option<&Cache>, verdict: &Verdict<&[u8]>) {
    if let Some(cache) = cache {
        let _: std::io::Result<()> = cache.write(verdict);
    }
}
