//! Operators that move elements without changing them.

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::{Call, Tensor, broadcast, broadcast_shape, count, is_small, resolve_index};

/// Applies the same movement to elements of any type. Opaque tensors only get
/// the new shape.
macro_rules! each_type {
    ($tensor:expr, $shape:expr, $move:expr) => {
        match $tensor {
            Tensor::Float(array) => Tensor::Float($move(array)?),
            Tensor::Int(array) => Tensor::Int($move(array)?),
            Tensor::Bool(array) => Tensor::Bool($move(array)?),
            Tensor::Opaque(dtype, _) => Tensor::Opaque(*dtype, $shape),
        }
    };
}

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let rank = data.shape().len();
    let one = |tensor: Tensor| Some(vec![tensor]);
    match name {
        "Identity" | "Dropout" => one(data.clone()),
        "Reshape" => {
            let allow_zero = call.node.int("allowzero", 0) != 0;
            let shape = reshaped(data.shape(), &call.input(1)?.ints()?, allow_zero)?;
            one(reshape(data, &shape)?)
        }
        "Flatten" => {
            let given = call.node.int("axis", 1);
            let at = if given == rank as i64 {
                rank
            } else {
                resolve_index(given, rank)?
            };
            let (rows, columns) = data.shape().split_at(at);
            one(reshape(data, &[count(rows)?, count(columns)?])?)
        }
        "Unsqueeze" => {
            let axes = call.ints("axes", 1)?;
            let rank = rank + axes.len();
            let mut axes = resolve(&axes, rank)?;
            axes.sort_unstable();
            let mut shape = data.shape().to_vec();
            for axis in axes {
                shape.insert(axis, 1);
            }
            one(reshape(data, &shape)?)
        }
        "Squeeze" => {
            let axes = if call.has("axes", 1) {
                resolve(&call.ints("axes", 1)?, rank)?
            } else {
                (0..rank).filter(|&at| data.shape()[at] == 1).collect()
            };
            let kept = (0..rank).filter(|at| !axes.contains(at));
            let shape: Vec<usize> = kept.map(|at| data.shape()[at]).collect();
            one(reshape(data, &shape)?)
        }
        "Transpose" => {
            let order = match call.node.ints("perm") {
                Some(order) => resolve(order, rank)?,
                None => (0..rank).rev().collect(),
            };
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..rank) {
                return None;
            }
            let shape = order.iter().map(|&at| data.shape()[at]).collect();
            one(each_type!(data, shape, |array: &_| transpose(
                array, &order
            )))
        }
        "Expand" => {
            let wanted = sizes(&call.input(1)?.ints()?)?;
            let shape = broadcast_shape(data.shape(), &wanted)?;
            (data.is_opaque() || is_small(&shape)).then_some(())?;
            one(each_type!(data, shape, |array: &_| broadcast(
                array, &shape
            )))
        }
        "Tile" => {
            let repeats = sizes(&call.input(1)?.ints()?)?;
            let tiled = data.shape().iter().zip(&repeats);
            let tiled = tiled.map(|(size, repeats)| size.checked_mul(*repeats));
            let shape: Vec<usize> = tiled.collect::<Option<_>>()?;
            let fits = repeats.len() == rank && (data.is_opaque() || is_small(&shape));
            fits.then_some(())?;
            one(each_type!(data, shape, |array: &_| tile(array, &repeats)))
        }
        "Slice" => slice(call, data).and_then(one),
        "Split" => split(call, data),
        "Gather" => {
            let axis = call.axis(0, rank)?;
            let positions = call.input(1)?;
            let mut shape = data.shape().to_vec();
            shape.splice(axis..=axis, positions.shape().iter().copied());
            let Tensor::Int(positions) = positions else {
                return one(Tensor::opaque(data.dtype(), &shape));
            };
            (data.is_opaque() || is_small(&shape)).then_some(())?;
            one(each_type!(data, shape, |array: &_| gather(
                array, axis, positions
            )))
        }
        _ => None,
    }
}

fn resolve(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    axes.iter().map(|&at| resolve_index(at, rank)).collect()
}

pub(super) fn sizes(dims: &[i64]) -> Option<Vec<usize>> {
    dims.iter().map(|&dim| usize::try_from(dim).ok()).collect()
}

/// The shape that `wanted` stands for: 0 keeps a dimension, unless `allow_zero`
/// is set, and -1 is inferred from the others.
fn reshaped(from: &[usize], wanted: &[i64], allow_zero: bool) -> Option<Vec<usize>> {
    let from_count = count(from)?;
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (at, &dim) in wanted.iter().enumerate() {
        shape.push(match dim {
            0 if !allow_zero => *from.get(at)?,
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            dim => usize::try_from(dim).ok()?,
        });
    }
    if let Some(at) = open {
        shape[at] = from_count.checked_div(count(&shape)?)?;
    }
    Some(shape)
}

fn reshape(data: &Tensor, shape: &[usize]) -> Option<Tensor> {
    (count(data.shape())? == count(shape)?).then_some(())?;
    Some(each_type!(data, shape.to_vec(), |array: &_| reshape_array(
        array, shape
    )))
}

fn reshape_array<T: Clone>(array: &ArrayD<T>, shape: &[usize]) -> Option<ArrayD<T>> {
    let array = array.as_standard_layout().into_owned();
    array.into_shape_with_order(IxDyn(shape)).ok()
}

fn transpose<T: Clone>(array: &ArrayD<T>, order: &[usize]) -> Option<ArrayD<T>> {
    let transposed = array.view().permuted_axes(IxDyn(order));
    Some(transposed.as_standard_layout().into_owned())
}

fn gather<T: Clone>(array: &ArrayD<T>, axis: usize, positions: &ArrayD<i64>) -> Option<ArrayD<T>> {
    let size = array.shape()[axis];
    let indices = positions.iter().map(|&at| resolve_index(at, size));
    let indices = indices.collect::<Option<Vec<_>>>()?;
    let mut shape = array.shape().to_vec();
    shape.splice(axis..=axis, positions.shape().iter().copied());
    reshape_array(&array.select(Axis(axis), &indices), &shape)
}

fn tile<T: Clone>(array: &ArrayD<T>, repeats: &[usize]) -> Option<ArrayD<T>> {
    let mut tiled = array.clone();
    for (axis, &repeats) in repeats.iter().enumerate() {
        let size = tiled.shape()[axis];
        let positions: Vec<usize> = (0..size * repeats).map(|at| at % size).collect();
        tiled = tiled.select(Axis(axis), &positions);
    }
    Some(tiled)
}

fn slice(call: &Call<'_>, data: &Tensor) -> Option<Tensor> {
    let (starts, ends) = (call.ints("starts", 1)?, call.ints("ends", 2)?);
    let axes = if call.has("axes", 3) {
        call.ints("axes", 3)?
    } else {
        (0..starts.len() as i64).collect()
    };
    let steps = match call.input(4) {
        Some(steps) => steps.ints()?,
        None => vec![1; starts.len()],
    };
    let mut result = data.clone();
    for (at, axis) in resolve(&axes, data.shape().len())?.into_iter().enumerate() {
        let size = result.shape()[axis] as i64;
        let (start, end, step) = (*starts.get(at)?, *ends.get(at)?, *steps.get(at)?);
        let positions = sliced_positions(start, end, step, size)?;
        let mut shape = result.shape().to_vec();
        shape[axis] = positions.len();
        result = each_type!(&result, shape, |array: &ArrayD<_>| Some(
            array.select(Axis(axis), &positions)
        ));
    }
    Some(result)
}

/// The positions along an axis of `size` that a slice selects, in order.
fn sliced_positions(start: i64, end: i64, step: i64, size: i64) -> Option<Vec<usize>> {
    if size > super::SIZE_LIMIT as i64 {
        return None;
    }
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let mut positions = Vec::new();
    if step > 0 {
        let mut at = from_end(start).clamp(0, size);
        let end = from_end(end).clamp(0, size);
        while at < end {
            positions.push(at as usize);
            at = at.saturating_add(step);
        }
    } else if step < 0 {
        let mut at = from_end(start).clamp(-1, size - 1);
        let end = from_end(end).clamp(-1, size - 1);
        while at > end {
            positions.push(at as usize);
            at = at.saturating_add(step);
        }
    } else {
        return None;
    }
    Some(positions)
}

fn split(call: &Call<'_>, data: &Tensor) -> Option<Vec<Tensor>> {
    let axis = call.axis(0, data.shape().len())?;
    let size = data.shape()[axis];
    let parts = call.node.output.len();
    let sizes = if call.has("split", 1) {
        sizes(&call.ints("split", 1)?)?
    } else {
        let each = size.div_ceil(parts);
        let start = |part: usize| (part * each).min(size);
        (0..parts)
            .map(|part| start(part + 1) - start(part))
            .collect()
    };
    if sizes.len() != parts || sizes.iter().sum::<usize>() != size {
        return None;
    }
    let mut start = 0;
    let mut outputs = Vec::with_capacity(parts);
    for size in sizes {
        let range = Slice::from(start..start + size);
        let mut shape = data.shape().to_vec();
        shape[axis] = size;
        outputs.push(each_type!(data, shape, |array: &ArrayD<_>| Some(
            array.slice_axis(Axis(axis), range).to_owned()
        )));
        start += size;
    }
    Some(outputs)
}
