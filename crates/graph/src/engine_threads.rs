//! Whether the operators that are left to an engine are worth its threads.

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::{CONTRIB_DOMAIN, DOMAIN};

/// Elements of the smallest weight whose product is worth a second thread.
const SMALLEST_MATRIX: i64 = 1 << 12;

/// Whether nodes other than those of our own operators are worth more than one
/// thread: products with weights, or attention.
pub fn needs_engine_threads(graph: &Graph) -> bool {
    let index = ValueIndex::new(graph);
    let is_matrix = |name: &String| {
        let dims = index.constant(name).map_or(&[][..], |tensor| &tensor.dims);
        let size = dims
            .iter()
            .fold(1i64, |size, &dim| size.saturating_mul(dim));
        size >= SMALLEST_MATRIX
    };
    let is_worth_it = |node: &NodeProto| match node.domain.as_deref() {
        Some(DOMAIN) => false,
        Some(CONTRIB_DOMAIN) => true,
        // Lookups in large tables are cheap.
        _ if node.is("Gather") || node.is("Slice") => false,
        _ => node.is("Softmax") || node.input.iter().any(is_matrix),
    };
    graph.nodes().iter().any(is_worth_it)
}
