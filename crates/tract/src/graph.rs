//! A graph on its way into tract.

use multivec_core::encoder::Normalization;
use multivec_core::{GraphForm, Precision};
use multivec_graph::{self as graph, ExternalReader, Graph};
use multivec_kernels::SharedGranularity;

use super::threads::Threads;

/// A graph and how to run it.
pub struct TractGraph<'a> {
    pub(super) file: &'a str,
    pub(super) graph: Graph,
    pub(super) form: GraphForm,
    pub(super) precision: Precision,
    pub(super) external: &'a ExternalReader<'a>,
    pub(super) granularity: SharedGranularity,
    pub(super) threads: Threads,
}

impl<'a> TractGraph<'a> {
    /// An original graph. `file` names it in messages, `precision` is that of
    /// its weights. `external` reads tensors whose bytes are not in the graph,
    /// one at a time while the graph is loaded.
    pub fn new(
        file: &'a str,
        graph: Graph,
        precision: Precision,
        external: &'a ExternalReader<'a>,
    ) -> Self {
        Self {
            file,
            graph,
            form: GraphForm::Original,
            precision,
            external,
            granularity: SharedGranularity::default(),
            threads: Threads::default(),
        }
    }

    /// With [`Normalization::Off`], removes the graph's final normalization.
    #[must_use]
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        if normalization == Normalization::Off {
            graph::passes::remove_final_normalization(&mut self.graph);
        }
        self
    }

    /// Fuses the graph, see [`fuse`](multivec_graph::fuse), without checking
    /// that it still gives the same vectors.
    #[must_use]
    pub fn fused(mut self) -> Self {
        self.form = GraphForm::from(graph::fuse(&mut self.graph));
        self
    }

    /// States the form of a graph that was fused before.
    #[must_use]
    pub fn with_form(mut self, form: GraphForm) -> Self {
        self.form = form;
        self
    }

    /// Sets how layers with 8-bit weights quantize their rows.
    #[must_use]
    pub fn with_granularity(mut self, granularity: SharedGranularity) -> Self {
        self.granularity = granularity;
        self
    }

    /// Runs kernels on these threads; on the calling one by default.
    #[must_use]
    pub fn with_threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }
}
