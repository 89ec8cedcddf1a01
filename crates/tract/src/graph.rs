//! A graph on its way into tract.

use multivec_core::encoder::Normalization;
use multivec_core::{GraphForm, Precision};
use multivec_graph::{self as graph, External, Graph};
use multivec_kernels::SharedGranularity;

use super::threads::Threads;

/// A graph, and how it is to run.
pub struct TractGraph<'a> {
    pub(super) file: &'a str,
    pub(super) graph: Graph,
    pub(super) form: GraphForm,
    pub(super) precision: Precision,
    pub(super) external: &'a External<'a>,
    pub(super) granularity: SharedGranularity,
    pub(super) threads: Threads,
}

impl<'a> TractGraph<'a> {
    /// An original graph. `file` names it in messages, `precision` is that of
    /// its weights, and `external` reads those that are not in the graph, each
    /// when it is packed.
    pub fn new(
        file: &'a str,
        graph: Graph,
        precision: Precision,
        external: &'a External<'a>,
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
            graph::remove_final_normalization(&mut self.graph);
        }
        self
    }

    /// Fuses attention and the like where they are recognised, see
    /// [`fuse`](multivec_graph::fuse). Whether the graph still gives the same
    /// vectors is not checked here.
    #[must_use]
    pub fn fused(mut self) -> Self {
        self.form = GraphForm::from(graph::fuse(&mut self.graph));
        self
    }

    /// Says in which form the graph is, where it was fused before.
    #[must_use]
    pub fn with_form(mut self, form: GraphForm) -> Self {
        self.form = form;
        self
    }

    /// How layers with 8-bit weights quantize their rows.
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
