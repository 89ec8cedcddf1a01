//! Rotary embeddings of batches.

use std::collections::HashMap;

use crate::builder::Builder;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
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
    // By the values that have them: those of an input make equal nodes, which are
    // merged later.
    let mut batches = HashMap::new();
    let mut is_changed = false;
    for original in graph.nodes() {
        let mut node = original.clone();
        for &at in repeated(original) {
            let name = &original.input[at];
            let axes = match trace.shape(name) {
                Some(&[1, LENGTH, _]) => 3,
                Some(&[1, LENGTH]) => 2,
                _ => continue,
            };
            let x = &original.input[0];
            let size = trace.shape(x).and_then(<[_]>::first).copied();
            let source = size.and_then(|size| input_of(&trace, size)).unwrap_or(x);
            let batch = batches
                .entry(source)
                .or_insert_with(|| first_size(&mut builder, source));
            let all = repeat(&mut builder, name, batch, axes);
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
    let name = "RotaryEmbedding";
    match node.input.len() {
        4 if node.is_contrib(name) => &[1],
        3 if node.is(name) => &[1, 2],
        4 if node.is(name) => &[3],
        _ => &[],
    }
}

/// An input of the graph whose first axis has that size: fused graphs may not
/// compute what else has.
fn input_of<'g>(trace: &Trace<'g>, size: usize) -> Option<&'g str> {
    let mut inputs = trace.index().graph().free_inputs();
    inputs.find(|name| trace.shape(name).and_then(<[_]>::first) == Some(&size))
}

/// The size of the first axis, `[1]`.
fn first_size(builder: &mut Builder, x: &str) -> String {
    let shape = builder.add("Shape", &[x]);
    let first = builder.ints(&[0]);
    builder.add("Gather", &[&shape, &first])
}

/// Repeats a value along its first axis, as often as `batch` says.
fn repeat(builder: &mut Builder, value: &str, batch: &str, axes: usize) -> String {
    let ones = builder.ints(&vec![1; axes - 1]);
    let shape = builder.add_with("Concat", &[batch, &ones], |node| node.with_int("axis", 0));
    builder.add("Expand", &[value, &shape])
}

#[cfg(test)]
mod tests {
    use super::super::clean::clean;
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
    fn rotations_share_repeated_tables() {
        let mut graph = rotation(&[1, 5, 1], &[]);
        let first = node("RotaryEmbedding", "", &["x", "table", "table"], &["y"]);
        let nodes = &mut graph.proto_mut().node;
        nodes.insert(3, first);
        nodes[4].input[0] = "y".to_owned();
        assert!(repeat_rotary_inputs(&mut graph));
        clean(&mut graph);
        let rotations = graph.nodes().iter();
        let tables: Vec<_> = rotations
            .filter(|node| node.is("RotaryEmbedding"))
            .flat_map(|node| &node.input[1..])
            .collect();
        assert_eq!(tables, [tables[0]; 4]);
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
