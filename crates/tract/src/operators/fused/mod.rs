//! The operators of fused graphs, on the kernels of `multivec-kernels`.

mod attention;
mod embedding;
mod l2_norm;
mod layer_norm;
mod linear;
mod pooled_linear;
mod rms_norm;
mod short_convolution;

use super::super::node::Node;
use super::Operator;
use tract_core::internal::*;

pub(super) use layer_norm::layer_normalization;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "ai.multivec.Attention" => attention::wire,
        "ai.multivec.PackedEmbedding" => embedding::wire,
        "ai.multivec.PackedLinear" => linear::wire,
        "ai.multivec.PackedPooledLinear" => pooled_linear::wire,
        "ai.multivec.L2Normalize" => l2_norm::wire,
        "ai.multivec.ShortConvolution" => short_convolution::wire,
        "ai.multivec.RmsNormalize" => rms_norm::wire,
        _ => return None,
    })
}

/// The floats of an input.
pub(super) fn floats(inputs: &[TValue], at: usize) -> TractResult<&[f32]> {
    let input = inputs.get(at).context("expected an input, found none")?;
    input.try_as_plain_ram()?.as_slice::<f32>()
}

/// A tensor of floats that `write` fills in place. tract would copy the values
/// of a vector.
pub(super) fn tensor(
    shape: &[usize],
    write: impl FnOnce(&mut [f32]) -> TractResult<()>,
) -> TractResult<TVec<TValue>> {
    // SAFETY: every bit pattern is an `f32`, and `write` overwrites all values
    // and reads none. Zeroing first takes a fortieth of the time of a text.
    let mut tensor = unsafe { Tensor::uninitialized::<f32>(shape)? };
    let mut memory = tensor.try_as_plain_ram_mut()?;
    let values = memory.as_slice_mut::<f32>()?;
    if cfg!(debug_assertions) {
        // Values that a kernel leaves out fail tests.
        values.fill(f32::NAN);
    }
    write(values)?;
    Ok(tvec!(tensor.into_tvalue()))
}

/// An attribute above 0.
fn positive(node: &Node<'_>, name: &str) -> TractResult<usize> {
    let value = node.proto.int(name, 0);
    usize::try_from(value)
        .ok()
        .filter(|&value| value > 0)
        .with_context(|| format!("expected `{name}` above 0, found {value}"))
}
