//! What of a graph's work is left to an engine.

use super::onnx::NodeProto;
use super::{CONTRIB, DOMAIN, Graph, Values};

/// Elements of a weight from which on its product is worth a second thread.
const MATRIX: i64 = 1 << 12;

/// Whether operators other than this project's do work that is worth more
/// than one thread: products with weights, or attention.
pub fn leaves_work(graph: &Graph) -> bool {
    let values = Values::new(graph);
    let is_matrix = |name: &String| {
        let dims = values.constant(name).map_or(&[][..], |tensor| &tensor.dims);
        dims.iter()
            .fold(1i64, |size, &dim| size.saturating_mul(dim))
            >= MATRIX
    };
    let is_work = |node: &NodeProto| match node.domain.as_deref() {
        Some(DOMAIN) => false,
        Some(CONTRIB) => true,
        // Tables are looked up, not multiplied.
        _ if node.is("Gather") || node.is("Slice") => false,
        _ => node.is("Softmax") || node.input.iter().any(is_matrix),
    };
    graph.nodes().iter().any(is_work)
}
