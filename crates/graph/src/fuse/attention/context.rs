//! From the weights of attention to the rows of all heads.

use ndarray::{Array2, Array3, ArrayD, IxDyn};

use super::layout::{Layout, Rows};
use crate::fuse::{BATCH, LENGTH};
use crate::onnx::NodeProto;
use crate::trace::{Tensor, Trace};

/// The product of weights and values, and where it goes.
pub(super) struct Context {
    /// The value of the product.
    product: String,
    pub(super) heads: usize,
    pub(super) columns: usize,
    /// Whether NaN is replaced by zeros in the weights.
    pub(super) is_guarded: bool,
    /// The rows of all heads side by side.
    pub(super) rows: Rows,
}

impl Context {
    /// The node of the product.
    pub(super) fn product<'g>(&self, trace: &Trace<'g>) -> Option<&'g NodeProto> {
        trace.index().producer(&self.product)
    }

    /// The values that are weighted.
    pub(super) fn values<'g>(&self, trace: &Trace<'g>) -> Option<&'g str> {
        self.product(trace)?.input.get(1).map(String::as_str)
    }
}

/// Goes from the weights, `[axes..., length, length]`, to the rows that their
/// products with values are moved to.
pub(super) fn find(trace: &Trace<'_>, weights: &str, heads: usize) -> Option<Context> {
    let guarded = guarded(trace, weights);
    let weights = moved(trace, guarded.unwrap_or(weights))?;
    let product = trace
        .index()
        .reader(weights)
        .filter(|node| node.is("MatMul"))?;
    // Not the weights as values.
    (product.input.first()? == weights).then_some(())?;
    let product = product.output.first()?;
    let &[.., LENGTH, columns] = trace.shape(product)? else {
        return None;
    };
    Some(Context {
        product: product.clone(),
        heads,
        columns,
        is_guarded: guarded.is_some(),
        rows: merged_heads(trace, product, [heads, columns])?,
    })
}

/// Follows a value past nodes that keep its elements in order.
fn moved<'g>(trace: &Trace<'g>, value: &'g str) -> Option<&'g str> {
    let mut value = value;
    for _ in 0..4 {
        let reader = trace.index().data_reader(value)?;
        let keeps = [
            "Cast",
            "Dropout",
            "Identity",
            "Reshape",
            "Squeeze",
            "Unsqueeze",
        ];
        if !keeps.iter().any(|name| reader.is(name)) || reader.output.len() != 1 {
            break;
        }
        value = reader.output.first()?;
    }
    Some(value)
}

/// The output of the guard `Where(IsNaN(weights), 0, weights)`, if there is one.
fn guarded<'g>(trace: &Trace<'g>, weights: &str) -> Option<&'g str> {
    let index = trace.index();
    let readers = index.readers(weights).iter();
    let mut nodes = readers.filter_map(|&at| index.node(at));
    let guard = nodes.find(|node| node.is("Where"))?;
    let [condition, zero, kept] = guard.input.as_slice() else {
        return None;
    };
    let test = index.made_by(condition, "IsNaN")?;
    let is_guard = test.input.first().map(String::as_str) == Some(weights)
        && kept == weights
        && trace.get(zero)?.uniform() == Some(0.)
        && index.readers(weights).len() == 2;
    guard
        .output
        .first()
        .filter(|_| is_guard)
        .map(String::as_str)
}

/// Finds the rows of all heads side by side that `context`, `[axes..., length,
/// columns]`, is moved to.
fn merged_heads(trace: &Trace<'_>, context: &str, [heads, columns]: [usize; 2]) -> Option<Rows> {
    let width = heads * columns;
    let mut value = context;
    for _ in 0..8 {
        let shape = trace.shape(value)?;
        if shape.last() == Some(&width) && !Layout::candidates(shape).is_empty() {
            break;
        }
        value = trace.index().data_reader(value)?.output.first()?;
    }
    let numbers: Vec<f32> = (0..BATCH * LENGTH * width).map(|at| at as f32).collect();
    let shape = IxDyn(trace.shape(context)?);
    let base = ArrayD::from_shape_vec(shape, numbers.clone()).ok()?;
    let Tensor::Float(found) = trace.replay(value, context, Tensor::Float(base))? else {
        return None;
    };
    let numbers = Array2::from_shape_vec((BATCH * heads, LENGTH * columns), numbers).ok()?;
    let rows = Array3::from_shape_fn((BATCH, LENGTH, width), |(text, row, at)| {
        let (head, column) = (at / columns, at % columns);
        numbers[[text * heads + head, row * columns + column]]
    });
    let mut layouts = Layout::candidates(trace.shape(value)?).iter();
    let is_found = |layout: &&Layout| layout.arrange(&rows).is_some_and(|rows| rows == found);
    Some(Rows {
        layout: *layouts.find(is_found)?,
        value: value.to_owned(),
        width,
    })
}
