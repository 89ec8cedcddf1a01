//! Reductions along axes.

use ndarray::{ArrayD, Axis};

use super::{Call, Tensor, resolve_index};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let is_reduction = matches!(
        name,
        "ReduceSum"
            | "ReduceMax"
            | "ReduceMin"
            | "ReduceProd"
            | "ReduceMean"
            | "ReduceL2"
            | "ReduceSumSquare"
    );
    is_reduction.then_some(())?;
    let data = call.input(0)?;
    let axes = axes(call, data.shape().len())?;
    let keeps_axes = call.node.int("keepdims", 1) != 0;
    let reduce = |array| {
        let mut array = reduce(name, array, &axes)?;
        if !keeps_axes {
            for &axis in axes.iter().rev() {
                array = array.index_axis_move(Axis(axis), 0);
            }
        }
        Some(array)
    };
    let output = match data {
        Tensor::Float(array) => Tensor::Float(reduce(array.mapv(f64::from))?.mapv(|x| x as f32)),
        Tensor::Int(array) => Tensor::Int(reduce(array.mapv(|x| x as f64))?.mapv(|x| x as i64)),
        Tensor::Bool(_) => return None,
        Tensor::Opaque(dtype, _) => {
            let mut shape = data.shape().to_vec();
            for &axis in axes.iter().rev() {
                if keeps_axes {
                    shape[axis] = 1;
                } else {
                    shape.remove(axis);
                }
            }
            Tensor::opaque(*dtype, &shape)
        }
    };
    Some(vec![output])
}

/// The axes that are reduced, in ascending order.
fn axes(call: &Call<'_>, rank: usize) -> Option<Vec<usize>> {
    if call.has("axes", 1) {
        let axes = call.ints("axes", 1)?.into_iter();
        let mut axes: Vec<usize> = axes
            .map(|axis| resolve_index(axis, rank))
            .collect::<Option<_>>()?;
        axes.sort_unstable();
        axes.dedup();
        Some(axes)
    } else if call.node.int("noop_with_empty_axes", 0) != 0 {
        None
    } else {
        Some((0..rank).collect())
    }
}

/// Reduces axes to size 1.
fn reduce(name: &str, mut array: ArrayD<f64>, axes: &[usize]) -> Option<ArrayD<f64>> {
    if matches!(name, "ReduceL2" | "ReduceSumSquare") {
        array.mapv_inplace(|x| x * x);
    }
    for &axis in axes {
        let axis = Axis(axis);
        let is_empty = array.len_of(axis) == 0;
        let reduced = match name {
            "ReduceSum" | "ReduceL2" | "ReduceSumSquare" => array.sum_axis(axis),
            "ReduceMean" => array.mean_axis(axis)?,
            "ReduceProd" => array.fold_axis(axis, 1., |product, x| product * x),
            _ if is_empty => return None,
            "ReduceMax" => array.fold_axis(axis, f64::NEG_INFINITY, |max, &x| max.max(x)),
            _ => array.fold_axis(axis, f64::INFINITY, |min, &x| min.min(x)),
        };
        array = reduced.insert_axis(axis);
    }
    if name == "ReduceL2" {
        array.mapv_inplace(f64::sqrt);
    }
    Some(array)
}
