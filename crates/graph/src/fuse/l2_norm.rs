//! L2 normalization, written out or by name.

use super::layer_norm::squared;
use super::{BATCH, LENGTH, Replacement};
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::{DOMAIN, L2_NORMALIZE};
use crate::trace::{Tensor, Trace};
use multivec_kernels::sample;
use multivec_kernels::{Bound, L2Normalize, Serial};

/// The most nodes between a sum of squares and the quotient.
const REACH: usize = 10;
/// The operators of these nodes.
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

/// [`L2_NORMALIZE`] in place of the nodes from a sum of squares over the last
/// axis to the quotient, in any order.
pub(super) fn find(trace: &Trace<'_>, sum: &NodeProto) -> Option<Replacement> {
    if sum.is("LpNormalization") {
        return standard(trace, sum);
    }
    let input = sum.input.first()?;
    let x = match sum.op_type.as_deref()? {
        "ReduceL2" | "ReduceSumSquare" => input.as_str(),
        "ReduceSum" => squared(trace, input)?,
        _ => return None,
    };
    let &[batch, length, width] = trace.shape(x)? else {
        return None;
    };
    let mut value = sum.output.first()?;
    let reduced = trace.shape(value)?;
    if (batch, length) != (BATCH, LENGTH)
        || !matches!(reduced, [BATCH, LENGTH] | [BATCH, LENGTH, 1])
    {
        return None;
    }
    let mut constant = 0.;
    for _ in 0..REACH {
        let reader = trace.index().data_reader(value)?;
        let output = reader.output.first()?;
        let is_quotient = reader.is("Div") && reader.input.get(1) == Some(value);
        if (is_quotient || reader.is("Mul")) && reader.other_operand(value) == Some(x) {
            let norm = equivalent(trace, [x, output], width, constant)?;
            return Some(replacement(x, output, norm));
        }
        if !STEPS.iter().any(|name| reader.is(name)) {
            return None;
        }
        let mut numbers = (reader.input.iter())
            .filter_map(|name| trace.get(name)?.uniform())
            .chain(reader.attribute("min").and_then(|least| least.f));
        // Exponents are not bounds.
        if !reader.is("Pow")
            && let Some(number) = numbers.next()
        {
            constant = number;
        }
        value = output;
    }
    None
}

fn standard(trace: &Trace<'_>, node: &NodeProto) -> Option<Replacement> {
    let (x, output) = (node.input.first()?, node.output.first()?);
    let rank = trace.shape(x)?.len() as i64;
    let axis = node.int("axis", -1);
    let is_l2 = node.int("p", 2) == 2 && (axis == -1 || axis == rank - 1);
    // Rows of zeros stay zeros.
    let norm = L2Normalize {
        bound: Bound::Max,
        epsilon: f32::MIN_POSITIVE,
    };
    is_l2.then(|| replacement(x, output, norm))
}

fn replacement(x: &str, output: &str, norm: L2Normalize) -> Replacement {
    let normalized = node(L2_NORMALIZE, DOMAIN, &[x], &[output]);
    Replacement {
        output: output.to_owned(),
        nodes: vec![
            normalized
                .with_string("bound", norm.bound.name())
                .with_float("epsilon", norm.epsilon),
        ],
    }
}

/// The normalization that computes the same, with the graph's own constant as
/// epsilon of the norm or of its square.
fn equivalent(
    trace: &Trace<'_>,
    [x, output]: [&str; 2],
    width: usize,
    constant: f32,
) -> Option<L2Normalize> {
    let bounds = [Bound::Max, Bound::Sum, Bound::Root];
    let epsilons = [constant, constant.max(0.).sqrt()];
    let mut candidates = epsilons
        .iter()
        .flat_map(|&epsilon| bounds.map(|bound| L2Normalize { bound, epsilon }));
    candidates.find(|norm| {
        let rows = rows(width, norm.epsilon);
        let base = Tensor::from_shape(&[BATCH, LENGTH, width], &rows);
        let found = base.and_then(|base| trace.replay(output, x, base)?.floats());
        let mut expected = vec![0.; rows.len()];
        norm.run(&rows, width, &mut expected, &Serial);
        found.is_some_and(|found| {
            let mut pairs = found.iter().zip(&expected);
            let is_near = |(found, expected): (&f32, &f32)| {
                (found - expected).abs() <= 1e-5 || (found.is_nan() && expected.is_nan())
            };
            found.len() == expected.len() && pairs.all(is_near)
        })
    })
}

/// Rows of zeros, and rows with norms around epsilon and far from it.
fn rows(width: usize, epsilon: f32) -> Vec<f32> {
    let mut numbers = sample::numbers();
    let mut number = || numbers.next().unwrap_or_default() as f32 / sample::LIMIT as f32 - 0.4;
    let norms = [0., 0.3, 1., 3., 30.].map(|factor| factor * epsilon);
    let norms = [norms, [1e-3, 0.1, 1., 10., 1e3]].concat();
    let rows = norms.into_iter().flat_map(|wanted| {
        let row: Vec<f32> = (0..width).map(|_| number()).collect();
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.into_iter().map(move |x| x / norm * wanted)
    });
    rows.collect()
}
