//! Operators on sizes and axes. Sizes of inputs are symbols, so that one plan
//! runs batches of every shape.

use tract_core::internal::*;
use tract_core::ops::array::{MultiBroadcastTo, Tile};

use super::super::node::{Node, resolve_axis};
use super::Operator;
use super::broadcast::Broadcast;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Constant" => constant,
        "ConstantOfShape" => constant_of_shape,
        "Expand" => expand,
        "Flatten" => flatten,
        "Reshape" => reshape,
        "Shape" => shape,
        "Size" => size,
        "Squeeze" => squeeze,
        "Tile" => tile,
        "Transpose" => transpose,
        "Unsqueeze" => unsqueeze,
        _ => return None,
    })
}

fn constant(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let proto = node.proto;
    let tensor = if let Some(tensor) = node.tensor("value")? {
        tensor
    } else if let Some(value) = proto.attribute("value_int") {
        tensor0(value.i.unwrap_or_default())
    } else if let Some(value) = proto.attribute("value_float") {
        tensor0(value.f.unwrap_or_default())
    } else if let Some(values) = proto.ints("value_ints") {
        tensor1(values)
    } else if let Some(values) = proto.attribute("value_floats") {
        tensor1(&values.floats)
    } else {
        bail!("expected a numeric or boolean value, found none");
    };
    Ok(tvec!(node.add_constant(tensor)?))
}

fn constant_of_shape(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let value = match node.tensor("value")? {
        Some(tensor) => tensor.into_shape(&[])?,
        None => tensor0(0f32),
    };
    let shape = node.dims(0)?;
    let scalar = node.add_constant(value)?;
    broadcast(node, scalar, shape)
}

fn expand(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let shape = node.dims(1)?;
    let shape = tract_core::broadcast::multi_broadcast(&[&node.shape(input)?, &shape])?;
    broadcast(node, input, shape)
}

fn broadcast(
    node: &mut Node<'_>,
    input: OutletId,
    shape: TVec<TDim>,
) -> TractResult<TVec<OutletId>> {
    if node.shape(input)? == shape {
        return Ok(tvec!(input));
    }
    // In the rank of the result: tract takes broadcasts out of products.
    let mut result = input;
    for _ in node.rank(input)?..shape.len() {
        result = node.wire(AxisOp::Add(0), &[result])?;
    }
    let shape = ShapeFact::from_dims(shape);
    let dtype = node.dtype(input)?;
    Ok(tvec!(
        if dtype == bool::datum_type() || dtype.is_integer() {
            node.wire(Broadcast { shape }, &[result])?
        } else {
            node.wire(MultiBroadcastTo { shape }, &[result])?
        }
    ))
}

fn flatten(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let shape = node.shape(input)?;
    let axis = node.proto.int("axis", 1);
    // The axis after the last is allowed, and gives a single column.
    let axis = resolve_axis(axis, shape.len() + usize::from(axis >= 0))?;
    let (rows, columns) = shape.split_at(axis);
    reshape_to(node, input, &[product(rows), product(columns)], false)
}

fn product(dims: &[TDim]) -> TDim {
    dims.iter().product()
}

fn reshape(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let shape = node.dims(1)?;
    let allow_zero = node.proto.int("allowzero", 0) != 0;
    reshape_to(node, input, &shape, allow_zero)
}

fn reshape_to(
    node: &mut Node<'_>,
    input: OutletId,
    shape: &[TDim],
    allow_zero: bool,
) -> TractResult<TVec<OutletId>> {
    let mut result = input;
    for op in to_axis_ops_with_onnx_rules(&node.shape(input)?, shape, allow_zero)? {
        result = node.wire(op, &[result])?;
    }
    Ok(tvec!(result))
}

fn shape(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let shape = node.shape(node.input(0)?)?;
    let rank = shape.len() as i64;
    let clamp = |axis: i64| (if axis < 0 { axis + rank } else { axis }).clamp(0, rank) as usize;
    let start = clamp(node.proto.int("start", 0));
    let end = clamp(node.proto.int("end", rank)).max(start);
    Ok(tvec!(node.add_constant(tensor1(&shape[start..end]))?))
}

fn size(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let size = product(&node.shape(node.input(0)?)?);
    Ok(tvec!(node.add_constant(tensor0(size))?))
}

fn squeeze(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let rank = node.rank(result)?;
    let mut axes: Vec<usize> = match node.integers_of("axes", 1)? {
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<TractResult<_>>()?,
        None => {
            let shape = node.shape(result)?;
            (0..rank).filter(|&axis| shape[axis].is_one()).collect()
        }
    };
    axes.sort_unstable();
    axes.dedup();
    for axis in axes.into_iter().rev() {
        result = node.wire(AxisOp::Rm(axis), &[result])?;
    }
    Ok(tvec!(result))
}

fn tile(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let multipliers = node.dims(1)?;
    Ok(tvec!(node.wire(Tile { multipliers }, &[input])?))
}

fn transpose(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let rank = node.rank(result)?;
    let order: Vec<usize> = match node.proto.ints("perm") {
        Some(order) => order
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<TractResult<_>>()?,
        None => (0..rank).rev().collect(),
    };
    ensure!(
        order.len() == rank,
        "expected an order of {rank} axes, found {}",
        order.len()
    );
    // The current order of the input's axes.
    let mut axes: Vec<usize> = (0..rank).collect();
    for (to, axis) in order.into_iter().enumerate() {
        let from = axes.iter().position(|&at| at == axis);
        let from = from.with_context(|| format!("expected each axis once, found {axis} twice"))?;
        ensure!(from >= to, "expected each axis once, found {axis} twice");
        if from != to {
            result = node.wire(AxisOp::Move(from, to), &[result])?;
            let moved = axes.remove(from);
            axes.insert(to, moved);
        }
    }
    Ok(tvec!(result))
}

fn unsqueeze(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let axes = node
        .integers_of("axes", 1)?
        .context("expected axes, found none")?;
    let rank = node.rank(result)? + axes.len();
    let mut axes: Vec<usize> = axes
        .iter()
        .map(|&axis| resolve_axis(axis, rank))
        .collect::<TractResult<_>>()?;
    axes.sort_unstable();
    for axis in axes {
        result = node.wire(AxisOp::Add(axis), &[result])?;
    }
    Ok(tvec!(result))
}
