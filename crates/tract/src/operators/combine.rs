//! Concatenation and cumulative sums.

use tract_core::internal::*;
use tract_core::ops::array::{CumSum, TypedConcat};

use super::super::node::{Node, resolve_axis};
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Concat" => concat,
        "CumSum" => cumulative_sum,
        _ => return None,
    })
}

fn concat(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let first = node.input(0)?;
    let axis = node.axis(node.proto.int("axis", 0), first)?;
    let parts = (0..node.inputs.len())
        .map(|at| node.input(at))
        .collect::<TractResult<TVec<_>>>()?;
    let parts = node.align(&parts)?;
    Ok(tvec!(node.wire(TypedConcat { axis }, &parts)?))
}

fn cumulative_sum(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axis = match node.integers(1)?.as_slice() {
        &[axis] => resolve_axis(axis, node.rank(input)?)?,
        other => bail!("expected one axis, found {}", other.len()),
    };
    let op = CumSum {
        axis,
        exclusive: node.proto.int("exclusive", 0) != 0,
        reverse: node.proto.int("reverse", 0) != 0,
    };
    Ok(tvec!(node.wire(op, &[input])?))
}
