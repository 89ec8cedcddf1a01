//! Declared types of inputs and outputs, the `TypeProto` of ONNX.

use prost::Message;

use crate::onnx::ValueInfoProto;

#[derive(Clone, PartialEq, Message)]
struct Type {
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
    dims: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    symbol: Option<String>,
}

/// A value of that `TensorProto.DataType`, `[batch, length]` or
/// `[batch, length, width]`.
pub(super) fn declare(name: &str, element: i32, width: Option<usize>) -> ValueInfoProto {
    let symbol = |name: &str| Dim {
        value: None,
        symbol: Some(name.to_owned()),
    };
    let width = width.map(|width| Dim {
        value: Some(width as i64),
        symbol: None,
    });
    let mut dims = vec![symbol("batch"), symbol("length")];
    dims.extend(width);
    let declared = Type {
        tensor: Some(TensorType {
            element: Some(element),
            shape: Some(Shape { dims }),
        }),
    };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(declared.encode_to_vec().into()),
        ..ValueInfoProto::default()
    }
}
