//! Operators that look elements up by tensors of places.

use ndarray::{ArrayD, Dimension, IxDyn};

use super::{Call, Tensor, axis};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let output = match name {
        "GatherElements" => {
            let along = call.axis(0, data.shape().len())?;
            let places = match call.input(1)? {
                Tensor::Int(places) => places,
                other => return Some(vec![Tensor::opaque(data.dtype(), other.shape())]),
            };
            match data {
                Tensor::Float(data) => Tensor::Float(elements(data, places, along)?),
                Tensor::Int(data) => Tensor::Int(elements(data, places, along)?),
                Tensor::Bool(data) => Tensor::Bool(elements(data, places, along)?),
                Tensor::Opaque(dtype, _) => Tensor::opaque(*dtype, places.shape()),
            }
        }
        "GatherND" if call.node.int("batch_dims", 0) == 0 => {
            let Tensor::Int(places) = call.input(1)? else {
                return None;
            };
            match data {
                Tensor::Float(data) => Tensor::Float(slices(data, places)?),
                Tensor::Int(data) => Tensor::Int(slices(data, places)?),
                Tensor::Bool(data) => Tensor::Bool(slices(data, places)?),
                Tensor::Opaque(..) => return None,
            }
        }
        _ => return None,
    };
    Some(vec![output])
}

fn elements<T: Clone>(data: &ArrayD<T>, places: &ArrayD<i64>, along: usize) -> Option<ArrayD<T>> {
    if data.ndim() != places.ndim() {
        return None;
    }
    let found = places.indexed_iter().map(|(at, &place)| {
        let mut at = at.as_array_view().to_vec();
        at[along] = axis(place, data.shape()[along])?;
        data.get(IxDyn(&at)).cloned()
    });
    super::tensor::array(places.shape(), found.collect::<Option<Vec<_>>>()?)
}

/// Single elements, where every axis is given.
fn slices<T: Clone>(data: &ArrayD<T>, places: &ArrayD<i64>) -> Option<ArrayD<T>> {
    let (&count, shape) = places.shape().split_last()?;
    if count != data.ndim() || count == 0 {
        return None;
    }
    let places = places.as_standard_layout();
    let found = places.as_slice()?.chunks_exact(count).map(|place| {
        let at: Option<Vec<usize>> = place
            .iter()
            .zip(data.shape())
            .map(|(&place, &size)| axis(place, size))
            .collect();
        data.get(IxDyn(&at?)).cloned()
    });
    super::tensor::array(shape, found.collect::<Option<Vec<_>>>()?)
}
