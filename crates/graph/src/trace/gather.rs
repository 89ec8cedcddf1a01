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
            let (&count, shape) = positions.shape().split_last()?;
            let Tensor::Int(positions) = positions else {
                let shape = [shape, data.shape().get(count..)?].concat();
                return Some(vec![Tensor::opaque(data.dtype(), &shape)]);
            };
            match data {
                Tensor::Float(data) => Tensor::Float(points(data, positions)?),
                Tensor::Int(data) => Tensor::Int(points(data, positions)?),
                Tensor::Bool(data) => Tensor::Bool(points(data, positions)?),
                Tensor::Opaque(dtype, _) => {
                    Tensor::opaque(*dtype, &[shape, data.shape().get(count..)?].concat())
                }
            }
        }
        "NonZero" => {
            let is_zero: Vec<bool> = match data {
                Tensor::Float(data) => data.iter().map(|&x| x == 0.).collect(),
                Tensor::Int(data) => data.iter().map(|&x| x == 0).collect(),
                Tensor::Bool(data) => data.iter().map(|&x| !x).collect(),
                Tensor::Opaque(..) => return None,
            };
            Tensor::Int(places(&super::tensor::array(data.shape(), is_zero)?)?)
        }
        "ScatterND" => {
            let is_opaque = data.is_opaque() || call.input(2)?.is_opaque();
            is_opaque.then(|| Tensor::opaque(data.dtype(), data.shape()))?
        }
        _ => return None,
    };
    Some(vec![output])
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

/// The positions of the elements that are not zero, `[rank, count]`.
fn places(is_zero: &ArrayD<bool>) -> Option<ArrayD<i64>> {
    let found = is_zero.indexed_iter().filter(|(_, is_zero)| !**is_zero);
    let found: Vec<Vec<i64>> = found
        .map(|(at, _)| at.as_array_view().iter().map(|&at| at as i64).collect())
        .collect();
    let rows = (0..is_zero.ndim()).flat_map(|axis| found.iter().map(move |at| at[axis]));
    super::tensor::array(&[is_zero.ndim(), found.len()], rows.collect())
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
