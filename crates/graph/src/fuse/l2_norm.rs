//! L2 normalization, written out or by name.

use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::trace::{Tensor, Trace};
use super::layer_norm::{other, squared};
use super::{BATCH, DOMAIN, LENGTH, Links, Replacement};
use multivec_kernels::sample;
use multivec_kernels::{Bound, L2Normalize, Serial};

/// Nodes between a sum of squares and the quotient.
const REACH: usize = 10;
const STEPS: [&str; 11] = [
    "Add",
    "Cast",
    "Clip",
    "Expand",
    "Identity",
    "Max",
    "Pow",
    "Reciprocal",
    "Reshape",
    "Sqrt",
    "Unsqueeze",
];

/// `L2Normalize` in place of the nodes from a sum of squares over the last
/// axis to the quotient, whatever their order.
///
/// `L2Normalize(x)`: rows divided by their length, which is kept from being
/// too small by `epsilon`, as `bound` says: the `max` or the `sum` of both, or
/// the `root` of the sum of their squares.
pub(super) fn find(links: &Links<'_>, trace: &Trace<'_>, root: &NodeProto) -> Option<Replacement> {
    if root.is("LpNormalization") {
        return named(trace, root);
    }
    let input = root.input.first()?;
    let x = match root.op_type.as_deref()? {
        "ReduceL2" | "ReduceSumSquare" => input.as_str(),
        "ReduceSum" => squared(links, trace, input)?,
        _ => return None,
    };
    let &[batch, length, width] = trace.shape(x)? else {
        return None;
    };
    let mut value = root.output.first()?;
    let reduced = trace.shape(value)?;
    if (batch, length) != (BATCH, LENGTH)
        || !matches!(reduced, [BATCH, LENGTH] | [BATCH, LENGTH, 1])
    {
        return None;
    }
    let mut constant = 0.;
    for _ in 0..REACH {
        let reader = links.data_reader(value)?;
        let output = reader.output.first()?;
        let is_quotient = reader.is("Div") && reader.input.get(1) == Some(value);
        if (is_quotient || reader.is("Mul"))
            && other(&reader.input, value).is_some_and(|other| other == x)
        {
            let scale = candidate(trace, (output, x), width, constant)?;
            return Some(replacement(x, output, scale));
        }
        if !STEPS.iter().any(|name| reader.is(name)) {
            return None;
        }
        let mut numbers = (reader.input.iter())
            .filter_map(|name| trace.get(name)?.uniform())
            .chain(reader.attribute("min").and_then(|least| least.f));
        // Exponents are no bounds.
        if !reader.is("Pow")
            && let Some(number) = numbers.next()
        {
            constant = number;
        }
        value = output;
    }
    None
}

fn named(trace: &Trace<'_>, node: &NodeProto) -> Option<Replacement> {
    let (x, output) = (node.input.first()?, node.output.first()?);
    let rank = trace.shape(x)?.len() as i64;
    let axis = node.int("axis", -1);
    let is_l2 = node.int("p", 2) == 2 && (axis == -1 || axis == rank - 1);
    // Rows of nothing but zeros stay.
    let scale = L2Normalize {
        bound: Bound::Max,
        epsilon: f32::MIN_POSITIVE,
    };
    is_l2.then(|| replacement(x, output, scale))
}

fn replacement(x: &str, output: &str, scale: L2Normalize) -> Replacement {
    let scaled = node("L2Normalize", DOMAIN, &[x], &[output]);
    Replacement {
        output: output.to_owned(),
        nodes: vec![
            scaled
                .with_text("bound", scale.bound.name())
                .with_float("epsilon", scale.epsilon),
        ],
    }
}

/// The normalization that gives the same rows, with the constant that is
/// there, which may have been meant for the square of the length.
fn candidate(
    trace: &Trace<'_>,
    (output, x): (&str, &str),
    width: usize,
    constant: f32,
) -> Option<L2Normalize> {
    let bounds = [Bound::Max, Bound::Sum, Bound::Root];
    let epsilons = [constant, constant.max(0.).sqrt()];
    let mut candidates = epsilons
        .iter()
        .flat_map(|&epsilon| bounds.map(|bound| L2Normalize { bound, epsilon }));
    candidates.find(|scale| {
        let rows = rows(width, scale.epsilon);
        let base = Tensor::from_floats_of(&[BATCH, LENGTH, width], &rows);
        let found = base.and_then(|base| trace.replay(output, x, base)?.floats());
        let mut expected = vec![0.; rows.len()];
        scale.run(&rows, width, &mut expected, &Serial);
        found.is_some_and(|found| {
            let mut pairs = found.iter().zip(&expected);
            let is_near = |(found, expected): (&f32, &f32)| {
                (found - expected).abs() <= 1e-5 || (found.is_nan() && expected.is_nan())
            };
            found.len() == expected.len() && pairs.all(is_near)
        })
    })
}

/// Rows of nothing, and of lengths around a bound and far from it.
fn rows(width: usize, epsilon: f32) -> Vec<f32> {
    let mut numbers = sample::numbers();
    let mut number = || numbers.next().unwrap_or_default() as f32 / sample::LIMIT as f32 - 0.4;
    let lengths = [0., 0.3, 1., 3., 30.].map(|times| times * epsilon);
    let lengths = [lengths, [1e-3, 0.1, 1., 10., 1e3]].concat();
    let rows = lengths.into_iter().flat_map(|length| {
        let row: Vec<f32> = (0..width).map(|_| number()).collect();
        let norm = row.iter().map(|one| one * one).sum::<f32>().sqrt();
        row.into_iter().map(move |one| one / norm * length)
    });
    rows.collect()
}
