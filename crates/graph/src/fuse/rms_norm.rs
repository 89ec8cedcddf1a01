//! RMS normalization, written out or by name.

use super::Replacement;
use super::layer_norm::squared;
use crate::index::ValueIndex;
use crate::node::{constant_node, floats_node, node};
use crate::onnx::{FLOAT, NodeProto};
use crate::operators::{DOMAIN, RMS_NORMALIZE};
use crate::trace::{Tensor, Trace};
use multivec_kernels::{RmsNorm, Serial, sample};

/// The most nodes between a sum of squares and the quotient.
const REACH: usize = 10;
/// The operators of these nodes.
const STEPS: [&str; 11] = [
    "Add",
    "Cast",
    "Div",
    "Expand",
    "Identity",
    "Mul",
    "Pow",
    "Reciprocal",
    "Reshape",
    "Sqrt",
    "Unsqueeze",
];

/// [`RMS_NORMALIZE`] in place of the nodes from the mean of squares over the last
/// axis to the quotient, in any order, and of the product with a scale.
pub(super) fn find(trace: &Trace<'_>, sum: &NodeProto) -> Option<Replacement> {
    if sum.is("RMSNormalization") || sum.is("SimplifiedLayerNormalization") {
        return by_name(trace, sum);
    }
    let input = sum.input.first()?;
    let x = match sum.op_type.as_deref()? {
        "ReduceMean" | "ReduceSum" => squared(trace, input)?,
        "ReduceSumSquare" => input.as_str(),
        _ => return None,
    };
    let quotient = quotient(trace, x, sum.output.first()?)?;
    let normal = quotient.normal;
    if !is_equivalent(trace, x, &quotient) {
        return None;
    }
    let (scale, output) = scaled(trace, x, normal).unwrap_or((Scale::Ones, normal));
    replacement(trace, x, scale, quotient.epsilon, output)
}

/// Whether a node is our RMS normalization.
pub(super) fn is_rms_norm(node: &NodeProto) -> bool {
    node.is_ours(RMS_NORMALIZE)
}

/// Where a value is divided by the root of the mean of its squares.
struct Quotient<'g> {
    normal: &'g str,
    epsilon: f32,
}

/// Follows the readers of the sum of squares of `x` to the quotient.
fn quotient<'g>(trace: &Trace<'g>, x: &str, sum: &'g str) -> Option<Quotient<'g>> {
    let (mut value, mut epsilon) = (sum, 0.);
    for _ in 0..REACH {
        let reader = trace.index().data_reader(value)?;
        let output = reader.output.first()?;
        let is_quotient = reader.is("Div") && reader.input.get(1).is_some_and(|by| by == value);
        if (is_quotient || reader.is("Mul")) && reader.other_operand(value) == Some(x) {
            return Some(Quotient {
                normal: output,
                epsilon,
            });
        }
        if !STEPS.iter().any(|name| reader.is(name)) {
            return None;
        }
        if reader.is("Add") {
            epsilon = trace.get(reader.other_operand(value)?)?.uniform()?;
        }
        value = output;
    }
    None
}

/// Whether the quotient is what our kernel computes from rows around epsilon and
/// far from it.
fn is_equivalent(trace: &Trace<'_>, x: &str, quotient: &Quotient<'_>) -> bool {
    let Some(shape) = trace.shape(x) else {
        return false;
    };
    let Some((&width, counts)) = shape.split_last() else {
        return false;
    };
    let is_float = trace.get(x).map(Tensor::dtype) == Some(FLOAT);
    if width < 2 || !is_float || trace.shape(quotient.normal) != Some(shape) {
        return false;
    }
    let rows = rows(counts.iter().product(), width, quotient.epsilon);
    let found = Tensor::from_shape(shape, &rows)
        .and_then(|base| trace.replay(quotient.normal, x, base)?.floats());
    let norm = RmsNorm {
        epsilon: quotient.epsilon,
        scale: &vec![1.; width],
    };
    let mut expected = vec![0.; rows.len()];
    norm.run(&rows, &mut expected, &Serial);
    found.is_some_and(|found| {
        let mut pairs = found.iter().zip(&expected);
        let is_near = |(found, expected): (&f32, &f32)| {
            (found - expected).abs() <= 1e-5 * expected.abs().max(1.)
                || (found.is_nan() && expected.is_nan())
        };
        !found.is_empty() && found.len() == expected.len() && pairs.all(is_near)
    })
}

/// Rows whose root mean squares are around that of epsilon, and far from it.
fn rows(count: usize, width: usize, epsilon: f32) -> Vec<f32> {
    let mut numbers = sample::numbers();
    let mut number = || numbers.next().unwrap_or_default() as f32 / sample::LIMIT as f32 - 0.4;
    let root = epsilon.max(0.).sqrt();
    let sizes = [root, 1., 0.3 * root, 3. * root, 0., 1e3, 30. * root, 0.05];
    let rows = sizes.into_iter().cycle().take(count).flat_map(|wanted| {
        let row: Vec<f32> = (0..width).map(|_| number()).collect();
        let square = row.iter().map(|x| x * x).sum::<f32>() / width as f32;
        row.into_iter().map(move |x| x / square.sqrt() * wanted)
    });
    rows.collect()
}

/// The scale of a normalization.
enum Scale<'g> {
    Ones,
    /// A value, one for each column.
    Value(&'g str),
}

/// The scale of `normal`, and the product with it.
fn scaled<'g>(trace: &Trace<'g>, x: &str, normal: &str) -> Option<(Scale<'g>, &'g str)> {
    let index = trace.index();
    let product = index.reader(normal).filter(|node| node.is("Mul"))?;
    let scale = product.other_operand(normal)?;
    let output = product.output.first()?;
    let is_scale = is_row(trace, x, scale) && is_constant(index, scale, 8);
    (is_scale && trace.shape(output) == trace.shape(x))
        .then_some((Scale::Value(scale), output.as_str()))
}

/// Whether a value has as many elements as rows of `x`.
fn is_row(trace: &Trace<'_>, x: &str, value: &str) -> bool {
    let width = trace.shape(x).and_then(<[_]>::last);
    let row = trace.shape(value).and_then(<[_]>::split_last);
    row.is_some_and(|(last, ones)| Some(last) == width && ones.iter().all(|&dim| dim == 1))
        && trace.get(value).map(Tensor::dtype) == Some(FLOAT)
}

/// Whether a value is computed from constants alone, such as `1 + weight`.
fn is_constant(index: &ValueIndex<'_>, value: &str, depth: usize) -> bool {
    let Some(node) = index.producer(value) else {
        return index.is_constant(value);
    };
    let ops = ["Add", "Cast", "Mul", "Reshape", "Sub", "Unsqueeze"];
    let is_known = ops.iter().any(|op| node.is(op));
    node.is("Constant")
        || (is_known
            && depth > 0
            && (node.input.iter()).all(|input| is_constant(index, input, depth - 1)))
}

/// The standard operator, and the one that ONNX Runtime writes.
fn by_name(trace: &Trace<'_>, norm: &NodeProto) -> Option<Replacement> {
    let (x, scale) = (norm.input.first()?, norm.input.get(1)?);
    let (output, others) = norm.output.split_first()?;
    let rank = trace.shape(x)?.len() as i64;
    let axis = norm.int("axis", -1);
    let is_last = axis == -1 || axis == rank - 1;
    let is_unread = |name: &String| name.is_empty() || trace.index().readers(name).is_empty();
    let is_float = trace.get(x).map(Tensor::dtype) == Some(FLOAT);
    let fits = is_last && is_float && others.iter().all(is_unread) && is_row(trace, x, scale);
    fits.then_some(())?;
    let epsilon = norm.float("epsilon", 1e-5);
    replacement(trace, x, Scale::Value(scale), epsilon, output)
}

fn replacement(
    trace: &Trace<'_>,
    x: &str,
    scale: Scale<'_>,
    epsilon: f32,
    output: &str,
) -> Option<Replacement> {
    let row = format!("multivec.scale.{output}");
    let mut nodes = Vec::new();
    let scale = match scale {
        Scale::Ones => {
            let width = *trace.shape(x)?.last()?;
            nodes.push(floats_node(&row, &vec![1.; width]));
            row.as_str()
        }
        Scale::Value(name) if trace.shape(name)?.len() == 1 => name,
        Scale::Value(name) => {
            let shape = format!("multivec.shape.{output}");
            nodes.push(constant_node(&shape, &[-1]));
            nodes.push(node("Reshape", "", &[name, &shape], &[&row]));
            row.as_str()
        }
    };
    let fused = node(RMS_NORMALIZE, DOMAIN, &[x, scale], &[output]);
    nodes.push(fused.with_float("epsilon", epsilon));
    Some(Replacement {
        output: output.to_owned(),
        nodes,
    })
}
