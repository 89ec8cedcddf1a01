//! Rotary embeddings of batches.

use crate::builder::Builder;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::CONTRIB_DOMAIN;
use crate::trace::Trace;

/// A shape that no model has by chance.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// Repeats the tables or positions of `RotaryEmbedding` for each text of a
/// batch. Exporters and optimizers write one for all, with which ONNX Runtime
/// runs single texts alone.
pub fn repeat_rotary_inputs(graph: &mut Graph) -> bool {
    let is_candidate = |node: &NodeProto| !repeated(node).is_empty();
    if graph.has_control_flow() || !graph.nodes().iter().any(is_candidate) {
        return false;
    }
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let mut builder = Builder::new(graph);
    let mut is_changed = false;
    for node in graph.nodes() {
        let mut node = node.clone();
        for &at in repeated(&node) {
            let name = &node.input[at];
            let axes = match trace.shape(name) {
                Some(&[1, LENGTH, _]) => 3,
                Some(&[1, LENGTH]) => 2,
                _ => continue,
            };
            let all = repeat(&mut builder, name, &node.input[0], axes);
            node.input[at] = all;
            is_changed = true;
        }
        builder.push(node);
    }
    if is_changed {
        builder.into_graph(graph);
    }
    is_changed
}

/// The inputs of a rotary embedding that have an element for each text.
fn repeated(node: &NodeProto) -> &'static [usize] {
    let is_contrib = node.domain.as_deref() == Some(CONTRIB_DOMAIN);
    match (node.op_type.as_deref(), node.input.len()) {
        (Some("RotaryEmbedding"), 4) if is_contrib => &[1],
        (_, 3) if node.is("RotaryEmbedding") => &[1, 2],
        (_, 4) if node.is("RotaryEmbedding") => &[3],
        _ => &[],
    }
}

/// Repeats a value along its first axis for each text of `x`.
fn repeat(builder: &mut Builder, value: &str, x: &str, axes: usize) -> String {
    let shape = builder.add("Shape", &[x]);
    let first = builder.ints(&[0]);
    let batch = builder.add("Gather", &[&shape, &first]);
    let ones = builder.ints(&vec![1; axes - 1]);
    let shape = builder.add_with("Concat", &[&batch, &ones], |node| node.with_int("axis", 0));
    builder.add("Expand", &[value, &shape])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::node;
    use crate::onnx::{FLOAT, TensorProto};
    use crate::testing::{graph, operators};

    fn rotation(tables: &[i64], more: &[&str]) -> Graph {
        let inputs = [&["x", "table", "table"], more].concat();
        let nodes = vec![
            node("Cast", "", &["input_ids"], &["floats"]).with_int("to", FLOAT.into()),
            node("Unsqueeze", "", &["floats"], &["one"]).with_ints("axes", &[2]),
            node("Concat", "", &["one", "one"], &["x"]).with_int("axis", 2),
            node("RotaryEmbedding", "", &inputs, &["out"]),
        ];
        let mut graph = graph(&["input_ids"], nodes, &["out"]);
        let count = usize::try_from(tables.iter().product::<i64>()).expect("a size");
        graph.proto_mut().initializer = vec![TensorProto {
            name: Some("table".to_owned()),
            dims: tables.to_vec(),
            data_type: Some(FLOAT),
            float_data: vec![0.; count],
            ..TensorProto::default()
        }];
        graph
    }

    #[test]
    fn tables_for_all_texts_are_repeated() {
        let mut one = rotation(&[1, 5, 1], &[]);
        assert!(repeat_rotary_inputs(&mut one));
        let repeats = operators(&one)
            .iter()
            .filter(|&&name| name == "Expand")
            .count();
        assert_eq!(repeats, 2);
        assert!(!repeat_rotary_inputs(&mut one));
    }

    #[test]
    fn other_tables_are_kept() {
        for (tables, more) in [
            // One for each text.
            (vec![2, 5, 1], vec![]),
            // Looked up by positions of each text.
            (vec![9, 1], vec!["input_ids"]),
            (vec![9, 1], vec![]),
        ] {
            let mut kept = rotation(&tables, &more);
            assert!(!repeat_rotary_inputs(&mut kept), "{tables:?}");
        }
    }
}
