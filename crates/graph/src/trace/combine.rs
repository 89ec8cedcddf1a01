//! Operators that create or join tensors, and products of small ones.

use ndarray::{ArrayD, ArrayViewD, Axis, Ix2, IxDyn, concatenate};

use super::movement::sizes;
use super::{Call, Tensor, count, is_small, resolve_index};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let output = match name {
        "Concat" => concat(call),
        "Constant" => constant(call),
        "ConstantOfShape" => constant_of_shape(call),
        "CumSum" => cumulative_sum(call),
        "MatMul" => product(call.input(0)?, call.input(1)?),
        "Range" => range(call),
        "Shape" => shape(call),
        "Size" => {
            let count = count(call.input(0)?.shape())?;
            Some(ints(&[], vec![i64::try_from(count).ok()?])?)
        }
        "Trilu" => trilu(call),
        _ => None,
    };
    Some(vec![output?])
}

fn ints(shape: &[usize], values: Vec<i64>) -> Option<Tensor> {
    super::tensor::array(shape, values).map(Tensor::Int)
}

fn constant(call: &Call<'_>) -> Option<Tensor> {
    let node = call.node;
    if let Some(value) = node.attribute("value") {
        return Tensor::read(value.t.as_ref()?, super::READ_LIMIT);
    }
    if let Some(value) = node.attribute("value_int") {
        return ints(&[], vec![value.i?]);
    }
    if let Some(values) = node.ints("value_ints") {
        return ints(&[values.len()], values.to_vec());
    }
    if let Some(value) = node.attribute("value_float") {
        return Some(Tensor::Float(ArrayD::from_elem(IxDyn(&[]), value.f?)));
    }
    let values = &node.attribute("value_floats")?.floats;
    super::tensor::array(&[values.len()], values.clone()).map(Tensor::Float)
}

fn constant_of_shape(call: &Call<'_>) -> Option<Tensor> {
    let shape = sizes(&call.input(0)?.ints()?)?;
    if !is_small(&shape) {
        return None;
    }
    let value = match call.node.attribute("value") {
        Some(value) => Tensor::read(value.t.as_ref()?, 1)?,
        None => Tensor::Float(ArrayD::zeros(IxDyn(&[]))),
    };
    let shape = IxDyn(&shape);
    Some(match value {
        Tensor::Float(value) => Tensor::Float(ArrayD::from_elem(shape, *value.first()?)),
        Tensor::Int(value) => Tensor::Int(ArrayD::from_elem(shape, *value.first()?)),
        Tensor::Bool(value) => Tensor::Bool(ArrayD::from_elem(shape, *value.first()?)),
        Tensor::Opaque(dtype, _) => Tensor::opaque(dtype, ndarray::Dimension::slice(&shape)),
    })
}

fn shape(call: &Call<'_>) -> Option<Tensor> {
    let shape = call.input(0)?.shape();
    let rank = shape.len() as i64;
    let clamp = |at: i64| (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize;
    let start = clamp(call.node.int("start", 0));
    let end = clamp(call.node.int("end", rank)).max(start);
    let dims: Vec<i64> = shape[start..end].iter().map(|&dim| dim as i64).collect();
    ints(&[dims.len()], dims)
}

fn range(call: &Call<'_>) -> Option<Tensor> {
    if let [
        Some(Tensor::Float(start)),
        Some(Tensor::Float(end)),
        Some(Tensor::Float(step)),
    ] = call.inputs
    {
        let (start, end, step) = (*start.first()?, *end.first()?, *step.first()?);
        let count = ((end - start) / step).ceil().max(0.);
        let values = (count <= super::SIZE_LIMIT as f32)
            .then(|| (0..count as usize).map(|at| start + at as f32 * step))?;
        return Some(Tensor::from_floats(&values.collect::<Vec<_>>()));
    }
    let one = |at: usize| call.input(at)?.ints()?.first().copied();
    let (start, end, step) = (one(0)?, one(1)?, one(2)?);
    let count = match step {
        0 => return None,
        step if step > 0 => end.saturating_sub(start).max(0) as u64 / step.unsigned_abs() + 1,
        step => start.saturating_sub(end).max(0) as u64 / step.unsigned_abs() + 1,
    };
    if count > super::SIZE_LIMIT as u64 {
        return None;
    }
    let is_inside = |&at: &i64| if step > 0 { at < end } else { at > end };
    let values: Vec<i64> = std::iter::successors(Some(start), |at| at.checked_add(step))
        .take_while(is_inside)
        .collect();
    ints(&[values.len()], values)
}

fn concat(call: &Call<'_>) -> Option<Tensor> {
    let parts = (0..call.inputs.len())
        .map(|at| call.input(at))
        .collect::<Option<Vec<_>>>()?;
    let first = *parts.first()?;
    let along = Axis(call.axis(0, first.shape().len())?);
    fn join<'a, T: Clone + 'a>(
        along: Axis,
        views: Option<Vec<ArrayViewD<'a, T>>>,
    ) -> Option<ArrayD<T>> {
        concatenate(along, &views?).ok()
    }
    macro_rules! all {
        ($kind:ident) => {
            join(
                along,
                parts
                    .iter()
                    .map(|part| match part {
                        Tensor::$kind(array) => Some(array.view()),
                        _ => None,
                    })
                    .collect(),
            )
            .map(Tensor::$kind)
        };
    }
    match first {
        Tensor::Float(_) if !parts.iter().any(|part| part.is_opaque()) => all!(Float),
        Tensor::Int(_) if !parts.iter().any(|part| part.is_opaque()) => all!(Int),
        Tensor::Bool(_) if !parts.iter().any(|part| part.is_opaque()) => all!(Bool),
        _ => {
            let mut shape = first.shape().to_vec();
            let of = |part: &&Tensor| part.shape().get(along.0).copied();
            shape[along.0] = parts.iter().map(of).sum::<Option<usize>>()?;
            Some(Tensor::opaque(first.dtype(), &shape))
        }
    }
}

fn cumulative_sum(call: &Call<'_>) -> Option<Tensor> {
    let data = call.input(0)?;
    let is_plain = call.node.int("exclusive", 0) == 0 && call.node.int("reverse", 0) == 0;
    let along = resolve_index(*call.input(1)?.ints()?.first()?, data.shape().len())?;
    let along = Axis(along);
    is_plain.then_some(())?;
    match data.clone() {
        Tensor::Int(mut sums) => {
            sums.accumulate_axis_inplace(along, |before, at| *at += before);
            Some(Tensor::Int(sums))
        }
        Tensor::Float(mut sums) => {
            sums.accumulate_axis_inplace(along, |before, at| *at += before);
            Some(Tensor::Float(sums))
        }
        _ => None,
    }
}

fn trilu(call: &Call<'_>) -> Option<Tensor> {
    let diagonal = match call.input(1) {
        Some(diagonal) => *diagonal.ints()?.first()?,
        None => 0,
    };
    let upper = call.node.int("upper", 1) != 0;
    fn keep<T: Clone + Default>(
        array: &ArrayD<T>,
        upper: bool,
        diagonal: i64,
    ) -> Option<ArrayD<T>> {
        let rank = array.ndim();
        let mut kept = array.clone();
        if rank < 2 {
            return None;
        }
        for (at, value) in kept.indexed_iter_mut() {
            let offset = at[rank - 1] as i64 - at[rank - 2] as i64 - diagonal;
            if (upper && offset < 0) || (!upper && offset > 0) {
                *value = T::default();
            }
        }
        Some(kept)
    }
    Some(match call.input(0)? {
        Tensor::Float(array) => Tensor::Float(keep(array, upper, diagonal)?),
        Tensor::Int(array) => Tensor::Int(keep(array, upper, diagonal)?),
        Tensor::Bool(array) => Tensor::Bool(keep(array, upper, diagonal)?),
        Tensor::Opaque(..) => return None,
    })
}

/// A product of known matrices, such as positions and frequencies of rotary
/// embedding.
fn product(left: &Tensor, right: &Tensor) -> Option<Tensor> {
    let (Tensor::Float(left), Tensor::Float(right)) = (left, right) else {
        return None;
    };
    let shape = super::shapes::product(left.shape(), right.shape())?;
    let (batch, matrix) = shape.split_at(shape.len() - 2);
    let (rows, columns, inner) = (matrix[0], matrix[1], *left.shape().last()?);
    let whole = |matrix: [usize; 2]| [batch, &matrix].concat();
    // The limit also bounds the multiplications.
    is_small(&[&shape[..], &[inner]].concat()).then_some(())?;
    let left = super::broadcast(left, &whole([rows, inner]))?;
    let right = super::broadcast(right, &whole([inner, columns]))?;
    let mut values = Vec::new();
    let matrices = count(batch)?;
    let left = left.into_shape_with_order((matrices, rows, inner)).ok()?;
    let right = right
        .into_shape_with_order((matrices, inner, columns))
        .ok()?;
    for (left, right) in left.outer_iter().zip(right.outer_iter()) {
        let product = left.into_dimensionality::<Ix2>().ok()?.dot(&right);
        values.extend(product.iter());
    }
    super::tensor::array(&shape, values).map(Tensor::Float)
}
