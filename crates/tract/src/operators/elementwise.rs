//! Elementwise operators.

use tract_core::internal::*;
use tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::{logic, math, nn};

use super::super::node::Node;
use super::super::tensor;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Abs" => |node| unary(node, math::abs()),
        "Ceil" => |node| unary(node, math::ceil()),
        "Cos" => |node| unary(node, math::cos()),
        "Erf" => |node| unary(node, math::erf()),
        "Exp" => |node| unary(node, math::exp()),
        "Floor" => |node| unary(node, math::floor()),
        "IsNaN" => |node| unary(node, math::is_nan()),
        "Log" => |node| unary(node, math::ln()),
        "Neg" => |node| unary(node, math::neg()),
        "Not" => |node| unary(node, logic::not()),
        "Reciprocal" => |node| unary(node, math::recip()),
        "Round" => |node| unary(node, math::round_half_to_even()),
        "Sigmoid" => |node| unary(node, nn::sigmoid()),
        "Sign" => |node| unary(node, math::sign()),
        "Sin" => |node| unary(node, math::sin()),
        "Sqrt" => |node| unary(node, math::sqrt()),
        "Tanh" => |node| unary(node, math::tanh()),
        "Add" | "Sum" => |node| chain(node, math::Add),
        "Div" => |node| chain(node, math::Div),
        "Max" => |node| chain(node, math::Max),
        "Mean" => mean,
        "Min" => |node| chain(node, math::Min),
        "Mod" => modulo,
        "Mul" => |node| chain(node, math::Mul),
        "Sub" => |node| chain(node, math::Sub),
        "Equal" => |node| compare(node, logic::comp_eq()),
        "Greater" => |node| compare(node, logic::comp_gt()),
        "GreaterOrEqual" => |node| compare(node, logic::comp_gte()),
        "Less" => |node| compare(node, logic::comp_lt()),
        "LessOrEqual" => |node| compare(node, logic::comp_lte()),
        "Cast" => cast,
        "CastLike" => cast_like,
        "Clip" => clip,
        "Dropout" | "Identity" => |node| Ok(tvec!(node.input(0)?)),
        "Pow" => pow,
        "Softplus" => softplus,
        "Where" => select,
        _ => return None,
    })
}

fn unary(node: &mut Node<'_>, op: ElementWiseOp) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    Ok(tvec!(node.wire(op, &[input])?))
}

/// Binary operators, and variadic ones from the left.
pub(super) fn chain(
    node: &mut Node<'_>,
    op: impl BinMiniOp + Clone,
) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    for at in 1..node.inputs.len() {
        let operand = node.input(at)?;
        result = node.binary(Box::new(op.clone()), result, operand)?;
    }
    Ok(tvec!(result))
}

fn mean(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let sum = chain(node, math::Add)?[0];
    let factor = 1. / node.inputs.len() as f32;
    Ok(tvec!(node.scale(sum, factor)?))
}

/// The remainder has the sign of the divisor, with `fmod` that of the dividend.
fn modulo(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (left, right) = (node.input(0)?, node.input(1)?);
    let remainder = node.binary(Box::new(math::Rem), left, right)?;
    if node.proto.int("fmod", 0) != 0 {
        return Ok(tvec!(remainder));
    }
    let shifted = node.add(remainder, right)?;
    Ok(tvec!(node.binary(Box::new(math::Rem), shifted, right)?))
}

/// `ln(1 + exp(x))`, which is `max(x, 0) + ln(1 + exp(-|x|))` and does not
/// overflow.
fn softplus(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let magnitude = node.wire(math::abs(), &[input])?;
    let negated = node.wire(math::neg(), &[magnitude])?;
    let small = node.wire(math::exp(), &[negated])?;
    let one = node.scalar(1., small)?;
    let sum = node.add(small, one)?;
    let logarithm = node.wire(math::ln(), &[sum])?;
    let zero = node.scalar(0., input)?;
    let positive = node.binary(Box::new(math::Max), input, zero)?;
    Ok(tvec!(node.add(positive, logarithm)?))
}

fn compare(node: &mut Node<'_>, op: Box<dyn BinMiniOp>) -> TractResult<TVec<OutletId>> {
    let (left, right) = (node.input(0)?, node.input(1)?);
    Ok(tvec!(node.binary(op, left, right)?))
}

fn cast(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let to = tensor::dtype(node.proto.int("to", 0))?;
    cast_to(node, to)
}

fn cast_like(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let to = node.dtype(node.input(1)?)?;
    cast_to(node, to)
}

fn cast_to(node: &mut Node<'_>, to: DatumType) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    // Symbolic sizes stay symbolic: plain integers would be unknown at load.
    let is_size = node.dtype(input)?.is_tdim() && node.fact(input)?.konst.is_some();
    if is_size && to.is_integer() {
        return Ok(tvec!(input));
    }
    // Every number but 0 is true.
    if to == bool::datum_type() && node.dtype(input)? != to {
        let zero = node.scalar(0., input)?;
        return Ok(tvec!(node.binary(logic::comp_ne(), input, zero)?));
    }
    Ok(tvec!(node.cast(input, to)?))
}

/// Bounds are attributes in older operator sets, inputs in newer ones.
fn clip(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    for (name, at) in [("min", 1), ("max", 2)] {
        let given = node.proto.attribute(name).and_then(|bound| bound.f);
        let bound = match (given, node.optional(at)) {
            (Some(bound), _) => node.scalar(bound, result)?,
            (None, Some(outlet)) => outlet,
            (None, None) => continue,
        };
        let op: Box<dyn BinMiniOp> = match at {
            1 => Box::new(math::Max),
            _ => Box::new(math::Min),
        };
        result = node.binary(op, result, bound)?;
    }
    Ok(tvec!(result))
}

/// The result has the type of the base.
fn pow(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (base, exponent) = (node.input(0)?, node.input(1)?);
    let dtype = node.dtype(base)?;
    let exponent = node.cast(exponent, dtype)?;
    let operands = node.align_ranks(&[base, exponent])?;
    Ok(tvec!(
        node.wire(TypedBinOp(Box::new(math::Pow), None), &operands)?
    ))
}

fn select(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let condition = node.input(0)?;
    let (yes, no) = (node.input(1)?, node.input(2)?);
    let branches = node.align(&[yes, no])?;
    let operands = node.align_ranks(&[condition, branches[0], branches[1]])?;
    Ok(tvec!(node.wire(logic::Iff, &operands)?))
}
