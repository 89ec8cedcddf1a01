//! Operators that look elements up by a tensor of positions.

use ndarray::{ArrayD, Dimension, IxDyn};

use super::{Call, Tensor, resolve_index};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let output = match name {
        "GatherElements" => {
            let along = call.axis(0, data.shape().len())?;
            let positions = match call.input(1)? {
                Tensor::Int(positions) => positions,
                other => return Some(vec![Tensor::opaque(data.dtype(), other.shape())]),
            };
            match data {
                Tensor::Float(data) => Tensor::Float(elements(data, positions, along)?),
                Tensor::Int(data) => Tensor::Int(elements(data, positions, along)?),
                Tensor::Bool(data) => Tensor::Bool(elements(data, positions, along)?),
                Tensor::Opaque(dtype, _) => Tensor::opaque(*dtype, positions.shape()),
            }
        }
        "GatherND" if call.node.int("batch_dims", 0) == 0 => {
            let positions = call.input(1)?;
            let known = match (data, positions) {
                (Tensor::Float(data), Tensor::Int(at)) => points(data, at).map(Tensor::Float),
                (Tensor::Int(data), Tensor::Int(at)) => points(data, at).map(Tensor::Int),
                (Tensor::Bool(data), Tensor::Int(at)) => points(data, at).map(Tensor::Bool),
                _ => None,
            };
            let (&count, shape) = positions.shape().split_last()?;
            let shape = [shape, data.shape().get(count..)?].concat();
            known.unwrap_or_else(|| Tensor::opaque(data.dtype(), &shape))
        }
        "NonZero" => match data {
            Tensor::Float(data) => non_zero(data, |&element| element != 0.)?,
            Tensor::Int(data) => non_zero(data, |&element| element != 0)?,
            Tensor::Bool(data) => non_zero(data, |&element| element)?,
            Tensor::Opaque(..) => return None,
        },
        "ScatterND" => {
            // Without positions, nothing is written.
            let is_kept = call.input(1)?.shape().contains(&0);
            match data {
                data if is_kept => data.clone(),
                data => Tensor::opaque(data.dtype(), data.shape()),
            }
        }
        _ => return None,
    };
    Some(vec![output])
}

/// The positions of elements that are set, `[rank, count]`.
fn non_zero<T>(data: &ArrayD<T>, is_set: impl Fn(&T) -> bool) -> Option<Tensor> {
    let places = data.indexed_iter().filter(|(_, element)| is_set(element));
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    let axes = 0..data.ndim();
    let values = axes.flat_map(|axis| places.iter().map(move |at| at[axis] as i64));
    let values = values.collect();
    super::tensor::array(&[data.ndim(), places.len()], values).map(Tensor::Int)
}

fn elements<T: Clone>(
    data: &ArrayD<T>,
    positions: &ArrayD<i64>,
    along: usize,
) -> Option<ArrayD<T>> {
    if data.ndim() != positions.ndim() {
        return None;
    }
    let found = positions.indexed_iter().map(|(at, &position)| {
        let mut at = at.as_array_view().to_vec();
        at[along] = resolve_index(position, data.shape()[along])?;
        data.get(IxDyn(&at)).cloned()
    });
    super::tensor::array(positions.shape(), found.collect::<Option<Vec<_>>>()?)
}

/// Single elements: each position has an index for every axis.
fn points<T: Clone>(data: &ArrayD<T>, positions: &ArrayD<i64>) -> Option<ArrayD<T>> {
    let (&count, shape) = positions.shape().split_last()?;
    if count != data.ndim() || count == 0 {
        return None;
    }
    let positions = positions.as_standard_layout();
    let found = positions.as_slice()?.chunks_exact(count).map(|position| {
        let at: Option<Vec<usize>> = position
            .iter()
            .zip(data.shape())
            .map(|(&position, &size)| resolve_index(position, size))
            .collect();
        data.get(IxDyn(&at?)).cloned()
    });
    super::tensor::array(shape, found.collect::<Option<Vec<_>>>()?)
}
