//! Stated shapes of values inside the graph.

use super::Graph;

/// Drops the types and shapes that the exporter noted for inner values.
/// Returns whether there were any.
///
/// Quantization renames and retypes values but keeps such notes, so that they
/// may contradict what an engine infers. No engine needs them.
pub fn drop_value_info(graph: &mut Graph) -> bool {
    let dropped = !graph.graph.value_info.is_empty();
    graph.graph.value_info.clear();
    dropped
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, node};
    use super::*;

    #[test]
    fn drops_notes_of_inner_values_only() {
        let mut graph = graph(&["in"], vec![node("Erf", &["in"], "out")], &["out"]);
        graph.graph.value_info = graph.graph.output.clone();
        assert!(drop_value_info(&mut graph));
        assert!(!drop_value_info(&mut graph));
        assert!(graph.graph.value_info.is_empty());
        assert_eq!(graph.graph.output.len(), 1);
    }
}
