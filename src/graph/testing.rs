//! Small graphs for the tests of passes.

use super::Graph;
use super::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
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
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(op.to_owned()),
        ..NodeProto::default()
    }
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
    with_tensor(node("Constant", &[], output), tensor)
}

/// `ConstantOfShape` of truth values.
pub(super) fn truths(shape: &str, output: &str) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(9),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    with_tensor(node("ConstantOfShape", &[shape], output), tensor)
}

pub(super) fn with_axis(mut node: NodeProto, axis: i64) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: Some("axis".to_owned()),
        i: Some(axis),
        ..AttributeProto::default()
    });
    node
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

fn with_tensor(mut node: NodeProto, tensor: TensorProto) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: Some("value".to_owned()),
        t: Some(tensor),
        ..AttributeProto::default()
    });
    node
}
