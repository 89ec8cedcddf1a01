//! Runs graphs in ONNX Runtime.

use multivec_core::{FormSpeed, GraphForm, Precision, Result};
use multivec_graph::lower::{self, Layers, Operators};
use multivec_graph::{Fused, Graph, needs_engine_threads};
use multivec_kernels::{self as kernels, SharedGranularity};

use super::GraphRunner;
use crate::model::ModelGraph;
use crate::onnxruntime::{
    Kernels, OnnxRuntime, OrtBackend, SessionGraph, SessionParts, SessionSettings, Work,
};
use crate::options::Provider;

/// Opens a model's graphs in sessions of these settings.
pub(crate) struct OrtGraphs<'a> {
    pub(crate) runtime: &'a OnnxRuntime,
    pub(crate) model: &'a ModelGraph,
    pub(crate) precision: Precision,
    pub(crate) settings: SessionSettings,
}

impl GraphRunner for OrtGraphs<'_> {
    type Backend = OrtBackend;

    fn model(&self) -> &ModelGraph {
        self.model
    }

    /// Other providers compile graphs themselves, which works best with
    /// standard operators.
    fn wants_fused(&self) -> bool {
        matches!(self.settings.provider, Provider::Cpu | Provider::Cuda(_))
    }

    fn gains_by(&self, fused: &Fused) -> bool {
        !fused.is_plain()
    }

    fn key(&self) -> String {
        format!("{}-{}", self.settings.provider, self.runtime.version())
    }

    fn open_original(&self, form: GraphForm) -> Result<OrtBackend> {
        let source = match &self.model.path {
            Some(path) => SessionGraph::File(path.clone()),
            None => SessionGraph::Memory(self.model.graph.clone().into()),
        };
        self.open(source, form, &Kernels::none())
    }

    fn open_fused(
        &self,
        mut graph: Graph,
        fused: Fused,
    ) -> Result<(OrtBackend, SharedGranularity)> {
        let runs_kernels = self.settings.provider == Provider::Cpu && kernels::are_fast();
        let operators = if runs_kernels {
            Operators::Kernels
        } else {
            Operators::Contrib
        };
        let (mut layers, mut tables) = (Vec::new(), Vec::new());
        if runs_kernels {
            let external = |tensor: &_| self.model.weights.read(tensor);
            let file = self.model.file();
            layers = lower::pack_linears(&mut graph, Layers::Linear, file, &external)?;
            tables = lower::pack_embeddings(&mut graph, file, &external)?;
        }
        lower::for_onnxruntime(&mut graph, operators);
        let work = if !runs_kernels {
            Work::Nothing
        } else if needs_engine_threads(&graph) {
            Work::Some
        } else {
            Work::All
        };
        let kernels = Kernels::new(layers, tables, work);
        let source = SessionGraph::Memory(graph.into());
        let backend = self.open(source, GraphForm::Fused(fused), &kernels)?;
        Ok((backend, kernels.granularity().clone()))
    }

    fn with_speed(&self, backend: OrtBackend, speed: FormSpeed) -> OrtBackend {
        backend.with_speed(speed)
    }
}

impl OrtGraphs<'_> {
    fn open(&self, graph: SessionGraph, form: GraphForm, kernels: &Kernels) -> Result<OrtBackend> {
        let parts = SessionParts {
            runtime: self.runtime,
            model: self.model,
            graph,
            kernels,
            settings: self.settings.clone(),
        };
        OrtBackend::load(parts, form, self.precision)
    }
}
