//! Layer normalization, written out.

use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::trace::Trace;
use super::{Links, Replacement};

/// `LayerNormalization` in place of
/// `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * scale (+ bias)`
/// over the last axis, around the node of the root.
pub(super) fn find(links: &Links<'_>, trace: &Trace<'_>, root: &NodeProto) -> Option<Replacement> {
    if !root.is("Sqrt") && !root.is("Pow") {
        return None;
    }
    let deviation = root.output.first()?;
    let inverted = match root.is("Pow") {
        false => false,
        true => match trace.get(root.input.get(1)?)?.uniform()? {
            0.5 => false,
            -0.5 => true,
            _ => return None,
        },
    };
    let sum = links
        .producer(root.input.first()?)
        .filter(|node| node.is("Add"))?;
    let (variance, epsilon) = trace.operands(&sum.input)?;
    let epsilon = trace.get(epsilon)?.uniform()?;
    let squares = mean_of(links, trace, variance)?;
    let centred = squared(links, trace, squares)?;
    let data = centred_from(links, trace, centred)?;

    // The quotient, by division or by the reciprocal.
    let reader = links.reader(deviation)?;
    let quotient = match (inverted, reader.op_type.as_deref()?) {
        (false, "Div") if reader.input.get(1).map(String::as_str) == Some(deviation.as_str()) => {
            (reader.input.first()?, reader)
        }
        (false, "Reciprocal") => {
            let inverse = reader.output.first()?;
            let product = links.reader(inverse).filter(|node| node.is("Mul"))?;
            (other(&product.input, inverse)?, product)
        }
        (true, "Mul") => (other(&reader.input, deviation)?, reader),
        _ => return None,
    };
    // Some exporters subtract the mean twice.
    if quotient.0 != centred && centred_from(links, trace, quotient.0)? != data {
        return None;
    }
    let width = *trace.shape(data)?.last()?;
    let normal = quotient.1.output.first()?;
    let scaled = links.reader(normal).filter(|node| node.is("Mul"))?;
    let scale = other(&scaled.input, normal)?;
    let is_row = |name: &str| trace.shape(name) == Some(&[width]) && links.producer(name).is_none();
    if !is_row(scale) {
        return None;
    }
    let mut output = scaled.output.first()?;
    let mut inputs = vec![data, scale.as_str()];
    if let Some(shifted) = links.reader(output).filter(|node| node.is("Add"))
        && let Some(bias) = other(&shifted.input, output).filter(|bias| is_row(bias))
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

/// Of two operands the one that is not the other.
pub(super) fn other<'a>(inputs: &'a [String], one: &str) -> Option<&'a String> {
    match inputs {
        [left, right] if left == one && right != one => Some(right),
        [left, right] if right == one && left != one => Some(left),
        _ => None,
    }
}

/// What `value` is the mean of, over the last axis.
fn mean_of<'g>(links: &Links<'g>, trace: &Trace<'_>, value: &str) -> Option<&'g str> {
    let mean = links.producer(value).filter(|node| node.is("ReduceMean"))?;
    let data = mean.input.first()?;
    let (shape, reduced) = (trace.shape(data)?, trace.shape(value)?);
    let (last, before) = shape.split_last()?;
    (*last > 1 && reduced.split_last() == Some((&1, before))).then_some(data.as_str())
}

/// What `value` is the square of.
pub(super) fn squared<'g>(links: &Links<'g>, trace: &Trace<'_>, value: &str) -> Option<&'g str> {
    let square = links.producer(value)?;
    let [left, right] = square.input.as_slice() else {
        return None;
    };
    let is_power = square.is("Pow")
        && trace.get(right).is_some_and(|power| {
            power.uniform() == Some(2.) || power.ints().is_some_and(|two| two == [2])
        });
    (is_power || (square.is("Mul") && left == right)).then_some(left.as_str())
}

/// What `value` is, less its mean.
fn centred_from<'g>(links: &Links<'g>, trace: &Trace<'_>, value: &str) -> Option<&'g str> {
    let difference = links.producer(value).filter(|node| node.is("Sub"))?;
    let [data, mean] = difference.input.as_slice() else {
        return None;
    };
    (mean_of(links, trace, mean)? == data).then_some(data.as_str())
}
