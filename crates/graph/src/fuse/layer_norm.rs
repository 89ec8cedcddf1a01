//! Layer normalization, written as single steps.

use super::Replacement;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::trace::{Operands, Trace};

/// `LayerNormalization` in place of
/// `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * scale (+ bias)`
/// over the last axis, around the node of the square root.
pub(super) fn find(trace: &Trace<'_>, root: &NodeProto) -> Option<Replacement> {
    let index = trace.index();
    if !root.is("Sqrt") && !root.is("Pow") {
        return None;
    }
    let deviation = root.output.first()?;
    let exponent = if root.is("Pow") {
        trace.get(root.input.get(1)?)?.uniform()?
    } else {
        0.5
    };
    let is_inverse = exponent == -0.5;
    (is_inverse || exponent == 0.5).then_some(())?;
    let sum = index.made_by(root.input.first()?, "Add")?;
    let Operands { opaque, known } = trace.operands(&sum.input)?;
    let epsilon = trace.get(known)?.uniform()?;
    let squares = mean_of(trace, opaque)?;
    let centered = squared(trace, squares)?;
    let data = centered_from(trace, centered)?;

    // A quotient, or a product with the reciprocal.
    let reader = index.reader(deviation)?;
    let (dividend, quotient) = match reader.op_type.as_deref()? {
        "Div" if !is_inverse && reader.input.get(1) == Some(deviation) => {
            (reader.input.first()?.as_str(), reader)
        }
        "Reciprocal" if !is_inverse => {
            let inverse = reader.output.first()?;
            let product = index.reader(inverse).filter(|node| node.is("Mul"))?;
            (product.other_operand(inverse)?, product)
        }
        "Mul" if is_inverse => (reader.other_operand(deviation)?, reader),
        _ => return None,
    };
    // Some exporters subtract the mean twice.
    if dividend != centered && centered_from(trace, dividend)? != data {
        return None;
    }
    let width = *trace.shape(data)?.last()?;
    let normal = quotient.output.first()?;
    let scaled = index.reader(normal).filter(|node| node.is("Mul"))?;
    let scale = scaled.other_operand(normal)?;
    let is_row = |name: &str| trace.shape(name) == Some(&[width]) && index.producer(name).is_none();
    if !is_row(scale) {
        return None;
    }
    let mut output = scaled.output.first()?;
    let mut inputs = vec![data, scale];
    if let Some(shifted) = index.reader(output).filter(|node| node.is("Add"))
        && let Some(bias) = shifted.other_operand(output).filter(|bias| is_row(bias))
    {
        inputs.push(bias);
        output = shifted.output.first()?;
    }
    let fused = node("LayerNormalization", "", &inputs, &[output])
        .with_int("axis", -1)
        .with_float("epsilon", epsilon);
    Some(Replacement {
        output: output.clone(),
        nodes: vec![fused],
    })
}

/// The value whose mean over the last axis is `value`.
fn mean_of<'g>(trace: &Trace<'g>, value: &str) -> Option<&'g str> {
    let mean = trace.index().made_by(value, "ReduceMean")?;
    let data = mean.input.first()?;
    let (shape, reduced) = (trace.shape(data)?, trace.shape(value)?);
    let (last, before) = shape.split_last()?;
    (*last > 1 && reduced.split_last() == Some((&1, before))).then_some(data.as_str())
}

/// The value whose square is `value`.
pub(super) fn squared<'g>(trace: &Trace<'g>, value: &str) -> Option<&'g str> {
    let square = trace.index().producer(value)?;
    let [left, right] = square.input.as_slice() else {
        return None;
    };
    let is_power = square.is("Pow")
        && trace.get(right).is_some_and(|power| {
            power.uniform() == Some(2.) || power.ints().is_some_and(|two| two == [2])
        });
    (is_power || (square.is("Mul") && left == right)).then_some(left.as_str())
}

/// The value of which `value` is the difference from its mean.
fn centered_from<'g>(trace: &Trace<'g>, value: &str) -> Option<&'g str> {
    let difference = trace.index().made_by(value, "Sub")?;
    let [data, mean] = difference.input.as_slice() else {
        return None;
    };
    (mean_of(trace, mean)? == data).then_some(data.as_str())
}
