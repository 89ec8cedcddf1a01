//! Declared types of a graph's inputs and outputs, the `TypeProto` of ONNX.

use prost::Message;

use crate::onnx::{FLOAT, INT64, ValueInfoProto};

/// `TypeProto`, of which other kinds than tensors are not read.
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

/// What a graph declares of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// The `TensorProto.DataType`.
    pub(super) element: i32,
    /// `None` for sizes that vary; without a shape nothing is declared of it.
    pub(super) shape: Option<Vec<Option<usize>>>,
}

impl Declared {
    /// `None` if the type is absent, unreadable or not a tensor's.
    pub(super) fn of(value: &ValueInfoProto) -> Option<Self> {
        let tensor = decode(value)?.tensor?;
        let size = |dim: &Dim| dim.value.and_then(|value| usize::try_from(value).ok());
        Some(Self {
            element: tensor.element?,
            shape: (tensor.shape).map(|shape| shape.dims.iter().map(size).collect()),
        })
    }
}

/// Columns of each row, where they are declared.
pub(crate) fn declared_columns(value: &ValueInfoProto) -> Option<usize> {
    *Declared::of(value)?.shape?.last()?
}

/// The `TensorProto.DataType` of a value, where it is declared.
pub(crate) fn declared_element(value: &ValueInfoProto) -> Option<i32> {
    Some(Declared::of(value)?.element)
}

/// Declares other elements of the same shape.
pub(super) fn set_element(value: &mut ValueInfoProto, element: i32) {
    let mut declared = decode(value).unwrap_or_default();
    declared.tensor.get_or_insert_default().element = Some(element);
    value.r#type = Some(declared.encode_to_vec().into());
}

fn decode(value: &ValueInfoProto) -> Option<Type> {
    Type::decode(value.r#type.clone()?).ok()
}

/// A value of that `TensorProto.DataType`, `[batch, length]` or
/// `[batch, length, width]`.
pub(crate) fn declare(name: &str, element: i32, width: Option<usize>) -> ValueInfoProto {
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
    declare_dims(name, element, dims)
}

fn declare_dims(name: &str, element: i32, dims: Vec<Dim>) -> ValueInfoProto {
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

/// A value of that `TensorProto.DataType` with one row a text, `[batch, 1,
/// width]`.
pub(crate) fn declare_text(name: &str, element: i32, width: Option<usize>) -> ValueInfoProto {
    let mut value = declare(name, element, width);
    let mut declared = decode(&value).unwrap_or_default();
    let shape = declared.tensor.get_or_insert_default().shape.as_mut();
    if let Some(dim) = shape.and_then(|shape| shape.dims.get_mut(1)) {
        *dim = Dim {
            value: Some(1),
            symbol: None,
        };
    }
    value.r#type = Some(declared.encode_to_vec().into());
    value
}

/// The name of an element type as ONNX spells it, for messages.
pub(super) fn element_name(element: i32) -> String {
    let name = match element {
        FLOAT => "float32",
        2 => "uint8",
        3 => "int8",
        6 => "int32",
        INT64 => "int64",
        9 => "bool",
        10 => "float16",
        11 => "float64",
        16 => "bfloat16",
        other => return format!("data type {other}"),
    };
    name.to_owned()
}

/// A value of that `TensorProto.DataType` and of these sizes, `None` for those
/// that vary.
#[cfg(test)]
pub(super) fn declare_sizes(name: &str, element: i32, sizes: &[Option<i64>]) -> ValueInfoProto {
    let dim = |value: &Option<i64>| Dim {
        value: *value,
        symbol: value.is_none().then(|| "size".to_owned()),
    };
    declare_dims(name, element, sizes.iter().map(dim).collect())
}
