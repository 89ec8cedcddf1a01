//! Values with some elements replaced, as exporters write assignments to slices.

use ndarray::ArrayD;

use super::{Call, Tensor, resolve_index};

/// Known elements alone; others are left to those who know their shapes.
pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    if name != "ScatterND" || !matches!(call.node.string("reduction"), "" | "none") {
        return None;
    }
    let Tensor::Int(positions) = call.input(1)? else {
        return None;
    };
    let replaced = match (call.input(0)?, call.input(2)?) {
        (Tensor::Float(data), Tensor::Float(new)) => Tensor::Float(replaced(data, positions, new)?),
        (Tensor::Int(data), Tensor::Int(new)) => Tensor::Int(replaced(data, positions, new)?),
        (Tensor::Bool(data), Tensor::Bool(new)) => Tensor::Bool(replaced(data, positions, new)?),
        _ => return None,
    };
    Some(vec![replaced])
}

/// `data` with `new` elements, or blocks of them, at `positions`.
fn replaced<T: Clone>(
    data: &ArrayD<T>,
    positions: &ArrayD<i64>,
    new: &ArrayD<T>,
) -> Option<ArrayD<T>> {
    let &axes = positions.shape().last()?;
    if axes == 0 || axes > data.ndim() {
        return None;
    }
    let (outer, block) = data.shape().split_at(axes);
    let block: usize = block.iter().product();
    let mut elements: Vec<T> = data.iter().cloned().collect();
    let new: Vec<T> = new.iter().cloned().collect();
    let positions: Vec<i64> = positions.iter().copied().collect();
    (new.len() == positions.len() / axes * block).then_some(())?;
    for (row, position) in positions.chunks_exact(axes).enumerate() {
        let mut at = 0;
        for (&position, &size) in position.iter().zip(outer) {
            at = at * size + resolve_index(position, size)?;
        }
        let target = elements.get_mut(at * block..(at + 1) * block)?;
        target.clone_from_slice(new.get(row * block..(row + 1) * block)?);
    }
    super::tensor::array(data.shape(), elements)
}
