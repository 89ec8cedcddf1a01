//! Small ONNX graphs: an embedding table whose rows are the token states.

use multivec_graph::onnx::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use prost::Message;

/// ONNX element types.
pub const FLOAT: i32 = 1;
pub const FLOAT64: i32 = 11;
pub const INT64: i32 = 7;

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, optional, tag = "1")]
    element: Option<i32>,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    axes: Vec<Axis>,
}

#[derive(Clone, PartialEq, Message)]
struct Axis {
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

/// An input or output with named, free axes.
pub fn value(name: &str, element: i32, axes: &[&str]) -> ValueInfoProto {
    let axes = axes.iter().map(|&name| Axis {
        name: Some(name.to_owned()),
    });
    let tensor = TensorType {
        element: Some(element),
        shape: Some(Shape {
            axes: axes.collect(),
        }),
    };
    let value = TypeProto {
        tensor: Some(tensor),
    };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(value.encode_to_vec().into()),
        ..ValueInfoProto::default()
    }
}

pub fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(operator.to_owned()),
        ..NodeProto::default()
    }
}

pub fn tensor(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        float_data: values,
        ..TensorProto::default()
    }
}

/// A graph `output = table[input_ids]` over `ids` ids, `[batch, length, dim]`.
pub fn lookup(ids: usize, dim: usize) -> GraphProto {
    let values = (0..ids * dim).map(|at| (at % 7) as f32 + 0.5).collect();
    GraphProto {
        name: Some("lookup".to_owned()),
        node: vec![node("Gather", &["table", "input_ids"], "output")],
        initializer: vec![tensor("table", &[ids as i64, dim as i64], values)],
        input: vec![
            value("input_ids", INT64, &["batch", "length"]),
            value("attention_mask", INT64, &["batch", "length"]),
        ],
        output: vec![value("output", FLOAT, &["batch", "length", "dim"])],
        ..GraphProto::default()
    }
}

pub fn model(graph: GraphProto) -> Vec<u8> {
    model_of(graph, 14)
}

/// A model for that version of the standard operators.
pub fn model_of(graph: GraphProto, opset: i64) -> Vec<u8> {
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        // Those of the standard, and those that ONNX Runtime adds.
        opset_import: [("", opset), ("com.microsoft", 1)]
            .map(|(domain, version)| OperatorSetIdProto {
                domain: Some(domain.to_owned()),
                version: Some(version),
            })
            .to_vec(),
        ..ModelProto::default()
    }
    .encode_to_vec()
}
