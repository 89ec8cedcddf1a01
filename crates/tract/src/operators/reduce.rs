//! Reductions over axes.

use tract_core::internal::*;
use tract_core::ops::math;
use tract_core::ops::nn::{Reduce, Reducer};

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "ArgMax" => |node| position(node, Reducer::ArgMax),
        "ArgMin" => |node| position(node, Reducer::ArgMin),
        "ReduceL1" => |node| reduce(node, l1),
        "ReduceL2" => |node| reduce(node, l2),
        "ReduceMax" => |node| {
            reduce(node, |node, input, axes| {
                plain(node, input, axes, Reducer::Max)
            })
        },
        "ReduceMean" => |node| reduce(node, mean),
        "ReduceMin" => |node| {
            reduce(node, |node, input, axes| {
                plain(node, input, axes, Reducer::Min)
            })
        },
        "ReduceProd" => |node| {
            reduce(node, |node, input, axes| {
                plain(node, input, axes, Reducer::Prod)
            })
        },
        "ReduceSum" => |node| reduce(node, sum),
        "ReduceSumSquare" => |node| reduce(node, sum_of_squares),
        _ => return None,
    })
}

/// Reduces axes of an outlet to size 1.
type Reduction = fn(&mut Node<'_>, OutletId, &[usize]) -> TractResult<OutletId>;

fn plain(
    node: &mut Node<'_>,
    input: OutletId,
    axes: &[usize],
    reducer: Reducer,
) -> TractResult<OutletId> {
    node.wire(Reduce::new(axes.into(), reducer), &[input])
}

pub(super) fn sum(node: &mut Node<'_>, input: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    plain(node, input, axes, Reducer::Sum)
}

pub(super) fn mean(node: &mut Node<'_>, input: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let shape = node.shape(input)?;
    let count: TDim = axes.iter().map(|&axis| shape[axis].clone()).product();
    let total = sum(node, input, axes)?;
    let count = node.add_constant(tensor0(count))?;
    let dtype = node.dtype(total)?;
    let count = node.cast(count, dtype)?;
    node.binary(Box::new(math::Div), total, count)
}

fn sum_of_squares(node: &mut Node<'_>, input: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let squares = node.mul(input, input)?;
    sum(node, squares, axes)
}

fn l1(node: &mut Node<'_>, input: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let magnitudes = node.wire(math::abs(), &[input])?;
    sum(node, magnitudes, axes)
}

pub(super) fn l2(node: &mut Node<'_>, input: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let squares = sum_of_squares(node, input, axes)?;
    node.wire(math::sqrt(), &[squares])
}

/// Axes are an attribute or an input. Without them all axes are reduced, or
/// none with `noop_with_empty_axes`.
fn reduce(node: &mut Node<'_>, reduction: Reduction) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let rank = node.rank(input)?;
    let given = node.integers_of("axes", 1)?.filter(|axes| !axes.is_empty());
    let axes = match given {
        Some(axes) => axes
            .iter()
            .map(|&axis| node.axis(axis, input))
            .collect::<TractResult<TVec<_>>>()?,
        None if node.proto.int("noop_with_empty_axes", 0) != 0 => return Ok(tvec!(input)),
        None => (0..rank).collect(),
    };
    let result = reduction(node, input, &axes)?;
    keep_or_drop(node, result, axes)
}

fn position(node: &mut Node<'_>, reducer: fn(bool) -> Reducer) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axis = node.axis(node.proto.int("axis", 0), input)?;
    let last = node.proto.int("select_last_index", 0) != 0;
    let result = plain(node, input, &[axis], reducer(last))?;
    keep_or_drop(node, result, tvec!(axis))
}

/// Removes reduced axes where `keepdims` is 0.
fn keep_or_drop(
    node: &mut Node<'_>,
    mut result: OutletId,
    mut axes: TVec<usize>,
) -> TractResult<TVec<OutletId>> {
    if node.proto.int("keepdims", 1) == 0 {
        axes.sort_unstable();
        for &axis in axes.iter().rev() {
            result = node.wire(AxisOp::Rm(axis), &[result])?;
        }
    }
    Ok(tvec!(result))
}
