//! Small graphs, and fixtures of the repository, for tests of passes.

use crate::graph::Graph;
use crate::node::constant_node;
use crate::onnx::{BOOL, FLOAT, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

pub(crate) fn graph(inputs: &[&str], nodes: Vec<NodeProto>, outputs: &[&str]) -> Graph {
    let proto = GraphProto {
        node: nodes,
        input: inputs.iter().map(|name| value_info(name)).collect(),
        output: outputs.iter().map(|name| value_info(name)).collect(),
        ..GraphProto::default()
    };
    Graph::from_parts(ModelProto::default(), proto)
}

pub(crate) fn value_info(name: &str) -> ValueInfoProto {
    ValueInfoProto {
        name: Some(name.to_owned()),
        ..ValueInfoProto::default()
    }
}

/// A node with one output.
pub(crate) fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    crate::node::node(op, "", inputs, &[output])
}

pub(crate) fn integers(output: &str, values: &[i64]) -> NodeProto {
    constant_node(output, values)
}

pub(crate) fn float(output: &str, value: f32) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(FLOAT),
        raw_data: Some(value.to_le_bytes().to_vec().into()),
        ..TensorProto::default()
    };
    node("Constant", &[], output).with_tensor("value", tensor)
}

/// `ConstantOfShape` that is true everywhere.
pub(crate) fn all_true(shape: &str, output: &str) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(BOOL),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    node("ConstantOfShape", &[shape], output).with_tensor("value", tensor)
}

pub(crate) fn with_axis(node: NodeProto, axis: i64) -> NodeProto {
    node.with_int("axis", axis)
}

/// The operators of a graph in order, without constants.
pub(crate) fn operators(graph: &Graph) -> Vec<&str> {
    graph
        .nodes()
        .iter()
        .filter_map(|node| node.op_type.as_deref())
        .filter(|&op| op != "Constant")
        .collect()
}

/// A file of the repository, by its path from the root.
pub(crate) fn fixture_bytes(file: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::read(format!("{root}/{file}")).expect("the fixture can be read")
}

pub(crate) fn fixture(file: &str) -> Graph {
    Graph::parse(file, fixture_bytes(file).into()).expect("the fixture is a graph")
}
