//! Operators on values that depend on the texts: only their shapes.

use super::{Call, Tensor, broadcast_shape};
use crate::onnx::{FLOAT, INT32, UINT8};
use crate::operators::{
    ACTIVATION, ATTENTION, EMBEDDING, L2_NORMALIZE, POOLED_LINEAR, RMS_NORMALIZE, SHORT_CONVOLUTION,
};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let one = |dtype: i32, shape: &[usize]| Some(vec![Tensor::opaque(dtype, shape)]);
    match name {
        "MatMul" => one(
            data.dtype(),
            &product(data.shape(), call.input(1)?.shape())?,
        ),
        "MatMulInteger" => one(INT32, &product(data.shape(), call.input(1)?.shape())?),
        "Gemm" => {
            let matrix = |name: &str, shape: &[usize]| match (call.node.int(name, 0), shape) {
                (0, &[rows, columns]) => Some([rows, columns]),
                (_, &[rows, columns]) => Some([columns, rows]),
                _ => None,
            };
            let [rows, inner] = matrix("transA", data.shape())?;
            let [other, columns] = matrix("transB", call.input(1)?.shape())?;
            (inner == other).then_some(())?;
            one(data.dtype(), &[rows, columns])
        }
        "LayerNormalization" | "RMSNormalization" | "SimplifiedLayerNormalization" => {
            one(data.dtype(), data.shape())
        }
        "DequantizeLinear" => one(FLOAT, data.shape()),
        "DynamicQuantizeLinear" => Some(vec![
            Tensor::opaque(UINT8, data.shape()),
            Tensor::opaque(FLOAT, &[]),
            Tensor::opaque(UINT8, &[]),
        ]),
        "CumSum" | "Gelu" | "LpNormalization" | "Swish" => one(data.dtype(), data.shape()),
        _ => None,
    }
}

/// Operators of our own domain.
pub(super) fn run_fused(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let mut shape = data.shape().to_vec();
    let size = |name| usize::try_from(call.node.int(name, 0)).ok();
    match name {
        ACTIVATION | L2_NORMALIZE | RMS_NORMALIZE => {}
        EMBEDDING => {
            shape.push(*call.input(1)?.shape().get(1)?);
            return Some(vec![Tensor::opaque(FLOAT, &shape)]);
        }
        POOLED_LINEAR => {
            *shape.get_mut(1)? = 1;
            let weights = call.input(1)?.shape();
            let is_transposed = call.node.int("transposed", 0) != 0;
            *shape.last_mut()? = *weights.get(usize::from(!is_transposed))?;
        }
        SHORT_CONVOLUTION => *shape.last_mut()? = *call.input(1)?.shape().first()?,
        ATTENTION => *shape.last_mut()? = size("heads")?.checked_mul(size("columns")?)?,
        _ => return None,
    }
    Some(vec![Tensor::opaque(data.dtype(), &shape)])
}

/// Operators of ONNX Runtime's own domain.
pub(super) fn run_contrib(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let mut shape = data.shape().to_vec();
    match name {
        "FastGelu" | "Gelu" | "QuickGelu" => {}
        "MatMulNBits" => *shape.last_mut()? = usize::try_from(call.node.int("N", 0)).ok()?,
        _ => return None,
    }
    Some(vec![Tensor::opaque(data.dtype(), &shape)])
}

/// The shape of a product of matrices, `[..., rows, columns]`.
pub(super) fn product(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    if left.len() < 2 || right.len() < 2 {
        return None;
    }
    let (left_batch, left) = left.split_at(left.len() - 2);
    let (right_batch, right) = right.split_at(right.len() - 2);
    (left[1] == right[0]).then_some(())?;
    let mut shape = broadcast_shape(left_batch, right_batch)?;
    shape.extend([left[0], right[1]]);
    Some(shape)
}
