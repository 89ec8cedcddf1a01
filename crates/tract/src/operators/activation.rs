//! Activation functions.

use multivec_kernels::Function;
use tract_core::internal::*;
use tract_core::ops::{math, nn};

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "ai.multivec.Activation" => ours,
        "Gelu" | "com.microsoft.Gelu" | "com.microsoft.FastGelu" => gelu,
        "Relu" => |node| apply(node, Function::Relu),
        _ => return None,
    })
}

fn ours(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let name = node.proto.string("function");
    let function = Function::parse(name);
    let function = function.with_context(|| format!("expected a function, found `{name}`"))?;
    apply(node, function)
}

fn gelu(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let is_fast = node.proto.op_type.as_deref() == Some("FastGelu");
    let function = if is_fast || node.proto.string("approximate") == "tanh" {
        Function::GeluTanh
    } else {
        Function::Gelu
    };
    apply(node, function)
}

fn apply(node: &mut Node<'_>, function: Function) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    ensure!(node.inputs.len() == 1, "expected no bias");
    Ok(tvec!(match function {
        Function::Identity => input,
        Function::Gelu => {
            let scaled = node.scale(input, std::f32::consts::FRAC_1_SQRT_2)?;
            let curve = node.wire(math::erf(), &[scaled])?;
            by_half(node, input, curve)?
        }
        Function::GeluTanh => {
            let one = node.scalar(1., input)?;
            let squared = node.mul(input, input)?;
            let cubed = node.scale(squared, 0.044_715)?;
            let sum = node.add(cubed, one)?;
            let product = node.mul(sum, input)?;
            let scaled = node.scale(product, (2. / std::f32::consts::PI).sqrt())?;
            let curve = node.wire(math::tanh(), &[scaled])?;
            by_half(node, input, curve)?
        }
        Function::Silu => {
            let gate = node.wire(nn::sigmoid(), &[input])?;
            node.mul(input, gate)?
        }
        Function::QuickGelu => {
            let scaled = node.scale(input, 1.702)?;
            let gate = node.wire(nn::sigmoid(), &[scaled])?;
            node.mul(input, gate)?
        }
        Function::Relu => positive(node, input)?,
        Function::ReluSquared => {
            let positive = positive(node, input)?;
            node.mul(positive, positive)?
        }
    }))
}

/// `x / 2 * (1 + curve)`
fn by_half(node: &mut Node<'_>, x: OutletId, curve: OutletId) -> TractResult<OutletId> {
    let one = node.scalar(1., x)?;
    let gate = node.add(curve, one)?;
    let half = node.scale(x, 0.5)?;
    node.mul(half, gate)
}

fn positive(node: &mut Node<'_>, x: OutletId) -> TractResult<OutletId> {
    let zero = node.scalar(0., x)?;
    node.binary(Box::new(math::Max), x, zero)
}
