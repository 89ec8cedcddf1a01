//! Softmax and the normalizations.

use tract_core::internal::*;
use tract_core::ops::math;
use tract_core::ops::nn::{Softmax, SoftmaxKind};

use super::super::node::Node;
use super::{Operator, fused, reduce};

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "LayerNormalization" => layer_normalization,
        "LogSoftmax" => |node| softmax(node, SoftmaxKind::LogSoftmax),
        "LpNormalization" => lp_normalization,
        "RMSNormalization" => rms_normalization,
        "Softmax" => |node| softmax(node, SoftmaxKind::Softmax),
        _ => return None,
    })
}

fn softmax(node: &mut Node<'_>, kind: SoftmaxKind) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let rank = node.rank(input)?;
    // Until version 13 it went over all axes from the given one on.
    let axes = if node.opset < 13 {
        (node.axis(node.proto.int("axis", 1), input)?..rank).collect()
    } else {
        tvec!(node.axis(node.proto.int("axis", -1), input)?)
    };
    let op = Softmax {
        axes,
        quant_output_dt: None,
        kind,
    };
    Ok(tvec!(node.wire(op, &[input])?))
}

/// `(x - mean) / sqrt(variance + epsilon) * scale + bias` over the axes from
/// the given one on.
fn layer_normalization(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    if let Some(outlet) = fused::layer_normalization(node)? {
        return Ok(tvec!(outlet));
    }
    let input = node.input(0)?;
    let axes = axes_from(node, input)?;
    let mean = reduce::mean(node, input, &axes)?;
    let centred = node.sub(input, mean)?;
    let normal = by_root_of_squares(node, centred, &axes)?;
    let scaled = node.mul(normal, node.input(1)?)?;
    Ok(tvec!(match node.optional(2) {
        Some(bias) => node.add(scaled, bias)?,
        None => scaled,
    }))
}

fn rms_normalization(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axes = axes_from(node, input)?;
    let normal = by_root_of_squares(node, input, &axes)?;
    Ok(tvec!(node.mul(normal, node.input(1)?)?))
}

fn axes_from(node: &Node<'_>, input: OutletId) -> TractResult<TVec<usize>> {
    let first = node.axis(node.proto.int("axis", -1), input)?;
    Ok((first..node.rank(input)?).collect())
}

/// Divides by the root of the mean of squares.
fn by_root_of_squares(
    node: &mut Node<'_>,
    input: OutletId,
    axes: &[usize],
) -> TractResult<OutletId> {
    let squares = node.mul(input, input)?;
    let mean = reduce::mean(node, squares, axes)?;
    let epsilon = node.scalar(node.proto.float("epsilon", 1e-5), mean)?;
    let above_zero = node.add(mean, epsilon)?;
    let factor = node.wire(math::rsqrt(), &[above_zero])?;
    node.mul(input, factor)
}

fn lp_normalization(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axis = node.axis(node.proto.int("axis", -1), input)?;
    let p = node.proto.int("p", 2);
    ensure!(p == 2, "expected the norm p = 2, found {p}");
    let norm = reduce::l2(node, input, &[axis])?;
    Ok(tvec!(node.binary(Box::new(math::Div), input, norm)?))
}
