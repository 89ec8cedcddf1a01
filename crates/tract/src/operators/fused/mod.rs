//! The operators that the core puts in fused graphs, over its kernels.

mod attention;
mod embedding;
mod l2_norm;
mod layer_norm;
mod linear;

use super::super::node::Node;
use super::{Operator, elementwise};
use tract_core::internal::*;

pub(super) use layer_norm::layer_normalization;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "ai.multivec.Attention" => attention::wire,
        "ai.multivec.Gelu" => elementwise::gelu,
        "ai.multivec.PackedEmbedding" => embedding::wire,
        "ai.multivec.PackedLinear" => linear::wire,
        "ai.multivec.L2Normalize" => l2_norm::wire,
        _ => return None,
    })
}

/// The floats of an input.
fn floats(inputs: &[TValue], at: usize) -> TractResult<&[f32]> {
    let input = inputs.get(at).context("expected an input, found none")?;
    input.try_as_plain_ram()?.as_slice::<f32>()
}

/// A tensor of floats of that shape, all of which is written in place: one that
/// is made of a vector has its numbers copied.
fn tensor(
    shape: &[usize],
    write: impl FnOnce(&mut [f32]) -> TractResult<()>,
) -> TractResult<TVec<TValue>> {
    // SAFETY: whatever is there is a float, and kernels read no output. To make
    // zeros of it first takes a fortieth of a text's time.
    let mut tensor = unsafe { Tensor::uninitialized::<f32>(shape)? };
    let mut place = tensor.try_as_plain_ram_mut()?;
    let numbers = place.as_slice_mut::<f32>()?;
    if cfg!(debug_assertions) {
        // Should a kernel leave one out, tests will see it.
        numbers.fill(f32::NAN);
    }
    write(numbers)?;
    Ok(tvec!(tensor.into_tvalue()))
}

/// A number above 0.
fn positive(node: &Node<'_>, name: &str) -> TractResult<usize> {
    let value = node.proto.int(name, 0);
    usize::try_from(value)
        .ok()
        .filter(|&value| value > 0)
        .with_context(|| format!("expected `{name}` above 0, found {value}"))
}
