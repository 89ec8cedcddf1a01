//! Declared types of values within the graph.

use crate::graph::Graph;

/// Removes the types and shapes that the exporter declared for inner values.
///
/// Quantization by an exporter renames and retypes values but keeps their
/// declarations, which may then contradict what an engine infers. No engine
/// needs them.
pub fn drop_value_info(graph: &mut Graph) -> bool {
    let declared = &mut graph.proto_mut().value_info;
    let is_dropped = !declared.is_empty();
    declared.clear();
    is_dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{graph, node};

    #[test]
    fn only_inner_values_lose_their_types() {
        let mut graph = graph(&["in"], vec![node("Erf", &["in"], "out")], &["out"]);
        let proto = graph.proto_mut();
        proto.value_info = proto.output.clone();
        assert!(drop_value_info(&mut graph));
        assert!(!drop_value_info(&mut graph));
        assert!(graph.proto().value_info.is_empty());
        assert_eq!(graph.proto().output.len(), 1);
    }
}
