//! What a trace knows of a tensor.

use ndarray::{ArrayD, IxDyn};

use super::count;
use crate::node::elements;
use crate::onnx::{BOOL, EXTERNAL, FLOAT, INT32, INT64, TensorProto};

/// A value of a graph: its elements, or only its type and shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tensor {
    Float(ArrayD<f32>),
    /// Integers of any width.
    Int(ArrayD<i64>),
    Bool(ArrayD<bool>),
    /// The type and shape of a value that depends on the texts or on weights.
    Opaque(i32, Vec<usize>),
}

impl Tensor {
    pub(crate) fn opaque(dtype: i32, shape: &[usize]) -> Self {
        Self::Opaque(dtype, shape.to_vec())
    }

    /// A tensor of one axis.
    pub(crate) fn from_floats(values: &[f32]) -> Self {
        Self::Float(ndarray::arr1(values).into_dyn())
    }

    pub(crate) fn from_shape(shape: &[usize], values: &[f32]) -> Option<Self> {
        array(shape, values.to_vec()).map(Self::Float)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::Float(array) => array.shape(),
            Self::Int(array) => array.shape(),
            Self::Bool(array) => array.shape(),
            Self::Opaque(_, shape) => shape,
        }
    }

    /// The `TensorProto.DataType`; integers whose elements are known count as
    /// 64-bit ones.
    pub(crate) fn dtype(&self) -> i32 {
        match self {
            Self::Float(_) => FLOAT,
            Self::Int(_) => INT64,
            Self::Bool(_) => BOOL,
            Self::Opaque(dtype, _) => *dtype,
        }
    }

    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self, Self::Opaque(..))
    }

    /// The elements of a tensor of integers.
    pub(crate) fn ints(&self) -> Option<Vec<i64>> {
        match self {
            Self::Int(array) => Some(array.iter().copied().collect()),
            _ => None,
        }
    }

    /// The elements of a tensor of floats.
    pub(crate) fn floats(&self) -> Option<Vec<f32>> {
        match self {
            Self::Float(array) => Some(array.iter().copied().collect()),
            _ => None,
        }
    }

    /// The float that all elements are equal to.
    pub(crate) fn uniform(&self) -> Option<f32> {
        let Self::Float(array) = self else {
            return None;
        };
        let first = *array.first()?;
        array
            .iter()
            .all(|&element| element == first)
            .then_some(first)
    }

    /// Reads a tensor of the model. It is opaque if it has more than `limit`
    /// elements, or is neither of 32-bit floats nor of a type that shapes and
    /// masks have.
    pub(crate) fn read(proto: &TensorProto, limit: usize) -> Option<Self> {
        let shape = proto
            .dims
            .iter()
            .map(|&dim| usize::try_from(dim).ok())
            .collect::<Option<Vec<_>>>()?;
        let count = count(&shape)?;
        let dtype = proto.data_type?;
        let is_external = proto.data_location == Some(EXTERNAL);
        if count > limit || is_external {
            return Some(Self::opaque(dtype, &shape));
        }
        let raw = proto.raw_data.as_deref();
        match dtype {
            FLOAT => {
                let values = match raw {
                    Some(raw) => elements(raw, f32::from_le_bytes),
                    None => proto.float_data.clone(),
                };
                array(&shape, values).map(Self::Float)
            }
            INT64 => {
                let values = match raw {
                    Some(raw) => elements(raw, i64::from_le_bytes),
                    None => proto.int64_data.clone(),
                };
                array(&shape, values).map(Self::Int)
            }
            INT32 => {
                let values = match raw {
                    Some(raw) => elements(raw, i32::from_le_bytes),
                    None => proto.int32_data.clone(),
                };
                let values = values.into_iter().map(i64::from).collect();
                array(&shape, values).map(Self::Int)
            }
            BOOL => {
                let values = match raw {
                    Some(raw) => raw.iter().map(|&bit| bit != 0).collect(),
                    None => proto.int32_data.iter().map(|&bit| bit != 0).collect(),
                };
                array(&shape, values).map(Self::Bool)
            }
            other => Some(Self::opaque(other, &shape)),
        }
    }
}

pub(super) fn array<T>(shape: &[usize], values: Vec<T>) -> Option<ArrayD<T>> {
    ArrayD::from_shape_vec(IxDyn(shape), values).ok()
}
