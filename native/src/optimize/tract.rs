//! Runs graphs in tract.

use multivec_core::{FormSpeed, GraphForm, Precision, Result};
use multivec_graph::{Fused, Graph};
use multivec_kernels::SharedGranularity;
use multivec_tract::{TractBackend, TractGraph};

use super::GraphRunner;
use crate::model::ModelGraph;

/// Opens a model's graphs for batches that run side by side.
pub(crate) struct TractGraphs<'a> {
    pub(crate) model: &'a ModelGraph,
    pub(crate) precision: Precision,
    pub(crate) concurrency: usize,
}

impl GraphRunner for TractGraphs<'_> {
    type Backend = TractBackend;

    fn model(&self) -> &ModelGraph {
        self.model
    }

    fn wants_fused(&self) -> bool {
        true
    }

    fn gains_by(&self, fused: &Fused) -> bool {
        !fused.is_empty()
    }

    fn key(&self) -> String {
        format!("tract-{}", TractBackend::VERSION)
    }

    fn open_original(&self, form: GraphForm) -> Result<TractBackend> {
        let graph = self.model.graph.clone();
        self.open(graph, form, &SharedGranularity::default())
    }

    fn open_fused(&self, graph: Graph, fused: Fused) -> Result<(TractBackend, SharedGranularity)> {
        let granularity = SharedGranularity::default();
        let backend = self.open(graph, GraphForm::Fused(fused), &granularity)?;
        Ok((backend, granularity))
    }

    fn with_speed(&self, backend: TractBackend, speed: FormSpeed) -> TractBackend {
        backend.with_speed(speed)
    }
}

impl TractGraphs<'_> {
    fn open(
        &self,
        graph: Graph,
        form: GraphForm,
        granularity: &SharedGranularity,
    ) -> Result<TractBackend> {
        let external = |tensor: &_| self.model.weights.read(tensor);
        let graph = TractGraph::new(self.model.file(), graph, self.precision, &external)
            .with_form(form)
            .with_granularity(granularity.clone());
        let backend = TractBackend::open(graph)?;
        Ok(backend.with_concurrency(self.concurrency))
    }
}
