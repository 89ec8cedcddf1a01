//! Small graphs for the tests of passes.

use super::Graph;
use super::onnx::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::values::constant_node;

pub(super) fn graph(inputs: &[&str], nodes: Vec<NodeProto>, outputs: &[&str]) -> Graph {
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| ValueInfoProto {
                name: Some((*name).to_owned()),
                ..ValueInfoProto::default()
            })
            .collect()
    };
    Graph {
        model: ModelProto::default(),
        graph: GraphProto {
            node: nodes,
            input: named(inputs),
            output: named(outputs),
            ..GraphProto::default()
        },
    }
}

pub(super) fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    super::node::node(op, "", inputs, &[output])
}

pub(super) fn integers(output: &str, values: &[i64]) -> NodeProto {
    constant_node(output, values)
}

pub(super) fn float(output: &str, value: f32) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(1),
        raw_data: Some(value.to_le_bytes().to_vec().into()),
        ..TensorProto::default()
    };
    node("Constant", &[], output).with_tensor("value", tensor)
}

/// `ConstantOfShape` of truth values.
pub(super) fn truths(shape: &str, output: &str) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(9),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    node("ConstantOfShape", &[shape], output).with_tensor("value", tensor)
}

pub(super) fn with_axis(node: NodeProto, axis: i64) -> NodeProto {
    node.with_int("axis", axis)
}

/// The operators of a graph but for constants, in order.
pub(super) fn operators(graph: &Graph) -> Vec<&str> {
    graph
        .nodes()
        .iter()
        .filter_map(|node| node.op_type.as_deref())
        .filter(|&op| op != "Constant")
        .collect()
}
