//! Weights in traces that find out how values are computed from them.

use super::{READ_LIMIT, Tensor, count};
use crate::onnx::{EXTERNAL, FLOAT, TensorProto};
use multivec_kernels::sample;

/// Elements of the largest table that is read, such as the biases of all
/// distances. Matrices of layers have two axes, and are left out.
const TABLE_LIMIT: usize = 1 << 22;

/// Reads a tensor. Small ones of floats that are in another file get numbers
/// that differ from element to element and from tensor to tensor, so that none
/// can be taken for a constant.
pub(super) fn drawn(proto: &TensorProto) -> Option<Tensor> {
    let limit = if proto.dims.len() > 2 {
        TABLE_LIMIT
    } else {
        READ_LIMIT
    };
    let read = Tensor::read(proto, limit)?;
    let Tensor::Opaque(FLOAT, shape) = &read else {
        return Some(read);
    };
    let count = count(shape)?;
    if proto.data_location != Some(EXTERNAL) || !(2..=READ_LIMIT).contains(&count) {
        return Some(read);
    }
    // FNV-1a, for a place in the sequence.
    let name = proto.name.as_deref().unwrap_or_default();
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let numbers = sample::numbers().skip(hash as usize % 4096);
    let numbers: Vec<f32> = numbers
        .take(count)
        .map(|number| number as f32 / sample::LIMIT as f32 + 0.5)
        .collect();
    Tensor::from_shape(shape, &numbers)
}
