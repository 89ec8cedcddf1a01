//! Activation functions, written out or by name.

use std::collections::BTreeSet;

use super::Replacement;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::{ACTIVATION, CONTRIB_DOMAIN, DOMAIN};
use crate::trace::{Tensor, Trace, erf};
use multivec_kernels::Function;

/// The most nodes from an activation's input to its curve, or from there to its
/// output.
const REACH: usize = 8;
/// The operators that bend the curves of activations.
const CURVES: [&str; 5] = ["Erf", "Exp", "Relu", "Sigmoid", "Tanh"];
/// The operators before a curve, and after it.
const BEFORE: [&str; 12] = [
    "Add", "Cast", "Div", "Erf", "Exp", "Mul", "Neg", "Pow", "Relu", "Sigmoid", "Sub", "Tanh",
];
const AFTER: [&str; 6] = ["Add", "Cast", "Div", "Mul", "Pow", "Reciprocal"];
/// What is recognised by its values.
const WRITTEN_OUT: [Function; 5] = [
    Function::Gelu,
    Function::GeluTanh,
    Function::Silu,
    Function::QuickGelu,
    Function::ReluSquared,
];

/// [`ACTIVATION`] in place of the nodes around `curve` that compute one, in any
/// order of multiplications.
pub(super) fn find(trace: &Trace<'_>, curve: &NodeProto) -> Option<Replacement> {
    if !CURVES.iter().any(|name| curve.is(name)) {
        return None;
    }
    let curve = curve.output.first()?;
    let samples = samples();
    let inputs = ancestors(trace, curve);
    // The farthest first, so that all factors are included.
    for output in descendants(trace.index(), curve).into_iter().rev() {
        for input in &inputs {
            let base = Tensor::from_floats(&samples);
            let Some(found) = trace
                .replay(output, input, base)
                .and_then(|found| found.floats())
            else {
                continue;
            };
            let is_found = |function: &Function| {
                let is_near = |(found, expected): (&f32, f32)| {
                    (found - expected).abs() <= 2e-6 * expected.abs().max(1.)
                };
                found.len() == samples.len()
                    && STORED.into_iter().any(|stored| {
                        let expected = samples.iter().map(|&x| stored.value(*function, x));
                        found.iter().zip(expected).all(is_near)
                    })
            };
            if let Some(function) = WRITTEN_OUT.into_iter().find(is_found) {
                return Some(replacement(function, input, output));
            }
        }
    }
    None
}

/// Our [`ACTIVATION`] in place of an operator of that name: a standard one, or
/// one of ONNX Runtime's without a bias.
pub(super) fn rename(node: &NodeProto) -> Option<Replacement> {
    let is_contrib = node.input.len() == 1 && node.domain.as_deref() == Some(CONTRIB_DOMAIN);
    let function = match node.op_type.as_deref()? {
        "Relu" if node.is("Relu") => Function::Relu,
        "Gelu" if node.is("Gelu") && node.string("approximate") == "tanh" => Function::GeluTanh,
        "Gelu" if node.is("Gelu") || is_contrib => Function::Gelu,
        "FastGelu" if is_contrib => Function::GeluTanh,
        "QuickGelu" if is_contrib => with_slope(node.float("alpha", QUICK_SLOPE))?,
        "Swish" if node.is("Swish") => with_slope(node.float("alpha", 1.))?,
        _ => return None,
    };
    Some(replacement(
        function,
        node.input.first()?,
        node.output.first()?,
    ))
}

/// Whether a node is a GELU or an approximation by tanh.
pub(super) fn is_gelu(node: &NodeProto) -> bool {
    node.string("function").starts_with("gelu")
}

fn replacement(function: Function, input: &str, output: &str) -> Replacement {
    let fused = node(ACTIVATION, DOMAIN, &[input], &[output]);
    Replacement {
        output: output.to_owned(),
        nodes: vec![fused.with_string("function", function.name())],
    }
}

/// The slope of the quick approximation of GELU.
const QUICK_SLOPE: f32 = 1.702;

/// `x * sigmoid(slope * x)`
fn with_slope(slope: f32) -> Option<Function> {
    match slope {
        1. => Some(Function::Silu),
        QUICK_SLOPE => Some(Function::QuickGelu),
        _ => None,
    }
}

/// Where curves bend, and far from there.
fn samples() -> Vec<f32> {
    let near = (-24..=24).map(|at| at as f32 * 0.25);
    let far = [8., 12., 20., 40., 80.];
    near.chain(far).chain(far.map(|x: f32| -x)).collect()
}

/// The significant bits in which a graph keeps the numbers of an activation.
#[derive(Clone, Copy)]
enum Stored {
    /// More than `f32` has.
    All,
    /// The argument of GELU's curve is multiplied by one, or divided by another.
    Factor(i32),
    Divisor(i32),
}

/// In 32 bits, and rounded as halves and `bfloat16` are: graphs of 16 bits that
/// compute in 32 have such numbers.
const STORED: [Stored; 5] = [
    Stored::All,
    Stored::Factor(11),
    Stored::Divisor(11),
    Stored::Factor(8),
    Stored::Divisor(8),
];

impl Stored {
    fn round(self, number: f32) -> f32 {
        match self {
            Self::All => number,
            Self::Factor(bits) | Self::Divisor(bits) => {
                let unit = (number.log2().floor() + 1. - bits as f32).exp2();
                (number / unit).round_ties_even() * unit
            }
        }
    }

    /// Sources: Hendrycks and Gimpel, 2016, for GELU and its approximations;
    /// Elfwing et al., 2017, for SiLU; So et al., 2021, for the square of ReLU.
    fn value(self, function: Function, x: f32) -> f32 {
        let sigmoid = |z: f32| 1. / (1. + (-z).exp());
        match function {
            Function::Identity => x,
            Function::Gelu => {
                let scaled = match self {
                    Self::Divisor(_) => x / self.round(std::f32::consts::SQRT_2),
                    _ => x * self.round(std::f32::consts::FRAC_1_SQRT_2),
                };
                0.5 * x * (1. + erf(scaled))
            }
            Function::GeluTanh => {
                let scale = self.round((2. / std::f32::consts::PI).sqrt());
                let scaled = scale * (x + self.round(0.044_715) * x * x * x);
                0.5 * x * (1. + scaled.tanh())
            }
            Function::Silu => x * sigmoid(x),
            Function::QuickGelu => x * sigmoid(self.round(QUICK_SLOPE) * x),
            Function::Relu => x.max(0.),
            Function::ReluSquared => x.max(0.).powi(2),
        }
    }
}

/// Values that depend on the texts, or are not known, and that `value` is
/// computed from, the nearest first.
fn ancestors(trace: &Trace<'_>, value: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut level = vec![value.to_owned()];
    for _ in 0..REACH {
        let inputs = level
            .iter()
            .filter_map(|name| trace.index().producer(name))
            .filter(|node| BEFORE.iter().any(|name| node.is(name)))
            .flat_map(|node| &node.input);
        let next: BTreeSet<String> = inputs
            .filter(|name| trace.get(name).is_none_or(Tensor::is_opaque))
            .filter(|name| !found.contains(name))
            .cloned()
            .collect();
        found.extend(next.iter().cloned());
        level = next.into_iter().collect();
    }
    found
}

/// Values that are computed from `value` alone, by sums and products, the
/// nearest first.
fn descendants<'g>(index: &ValueIndex<'g>, value: &str) -> Vec<&'g str> {
    let mut found = Vec::new();
    let mut reader = only_reader(index, value);
    while let Some(node) = reader.filter(|_| found.len() < REACH) {
        let Some(output) = node.output.first() else {
            break;
        };
        if !AFTER.iter().any(|name| node.is(name)) {
            break;
        }
        found.push(output.as_str());
        reader = only_reader(index, output);
    }
    found
}

/// The only node that reads a value, once or twice.
fn only_reader<'g>(index: &ValueIndex<'g>, value: &str) -> Option<&'g NodeProto> {
    let (first, rest) = index.readers(value).split_first()?;
    let is_one = rest.iter().all(|at| at == first);
    index.node(*first).filter(|_| is_one)
}
