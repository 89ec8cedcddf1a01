//! Inputs as an encoder gives them: 64-bit integers, `[batch, length]`.

use super::types::{Declared, set_element};
use crate::graph::Graph;
use crate::node::{constant_node, node};
use crate::onnx::{BOOL, FLOAT, INT32, INT64, NodeProto};

const IDS: &str = "input_ids";
const POSITIONS: &str = "position_ids";

/// Inputs of other types are cast within the graph, and positions are counted
/// there. Returns whether anything was changed.
pub(super) fn adapt(graph: &mut Graph) -> bool {
    let free: Vec<String> = graph.free_inputs().map(str::to_owned).collect();
    let mut first = Vec::new();
    for name in &free {
        let declared = graph
            .proto()
            .input
            .iter()
            .find(|input| input.name.as_ref() == Some(name));
        let Some(element) = declared
            .and_then(Declared::of)
            .map(|declared| declared.element)
        else {
            continue;
        };
        if name == POSITIONS && free.iter().any(|name| name == IDS) {
            let inputs = &mut graph.proto_mut().input;
            inputs.retain(|input| input.name.as_deref() != Some(POSITIONS));
            first.extend(positions(element));
        } else if [INT32, FLOAT, BOOL].contains(&element) {
            cast(graph, name, element, &mut first);
        }
    }
    let is_changed = !first.is_empty();
    graph.proto_mut().node.splice(0..0, first);
    is_changed
}

/// Casts an input that is now of 64-bit integers to what the graph reads.
fn cast(graph: &mut Graph, name: &str, element: i32, first: &mut Vec<NodeProto>) {
    let read = format!("multivec.{name}");
    let proto = graph.proto_mut();
    for input in &mut proto.input {
        if input.name.as_deref() == Some(name) {
            set_element(input, INT64);
        }
    }
    for input in proto.node.iter_mut().flat_map(|node| &mut node.input) {
        if input == name {
            input.clone_from(&read);
        }
    }
    first.push(node("Cast", "", &[name], &[&read]).with_int("to", i64::from(element)));
}

/// Positions from 0 on in each row, under the name of the input that they
/// replace.
fn positions(element: i32) -> Vec<NodeProto> {
    let name = |part: &str| format!("multivec.{POSITIONS}.{part}");
    let [shape, axis, length, start, step, range] =
        ["shape", "axis", "length", "start", "step", "range"].map(name);
    let scalar = |output: &str, value: i64| {
        let mut constant = constant_node(output, &[value]);
        for attribute in &mut constant.attribute {
            attribute
                .t
                .iter_mut()
                .for_each(|tensor| tensor.dims.clear());
        }
        constant
    };
    let counted = if element == INT64 {
        POSITIONS.to_owned()
    } else {
        name("counted")
    };
    let mut nodes = vec![
        node("Shape", "", &[IDS], &[&shape]),
        scalar(&axis, 1),
        scalar(&start, 0),
        scalar(&step, 1),
        node("Gather", "", &[&shape, &axis], &[&length]),
        node("Range", "", &[&start, &length, &step], &[&range]),
        node("Expand", "", &[&range, &shape], &[&counted]),
    ];
    if element != INT64 {
        nodes.push(node("Cast", "", &[&counted], &[POSITIONS]).with_int("to", i64::from(element)));
    }
    nodes
}
