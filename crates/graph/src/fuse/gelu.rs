//! Gaussian error linear units, written out or by name.

use std::collections::BTreeSet;

use super::Replacement;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::{CONTRIB_DOMAIN, DOMAIN, GELU};
use crate::trace::{Tensor, Trace, erf};

/// The most nodes from a GELU's input to its `Erf` or `Tanh`, or from there to
/// its output.
const REACH: usize = 8;

/// [`GELU`] in place of the nodes around an `Erf` or `Tanh` that compute it, in
/// any order of multiplications.
pub(super) fn find(trace: &Trace<'_>, curve: &NodeProto) -> Option<Replacement> {
    let is_tanh = curve.is("Tanh");
    if !is_tanh && !curve.is("Erf") {
        return None;
    }
    let curve = curve.output.first()?;
    let samples: Vec<f32> = (-24..=24).map(|at| at as f32 * 0.25).collect();
    let expected: Vec<f32> = samples.iter().map(|&x| gelu(x, is_tanh)).collect();
    let inputs = ancestors(trace, curve);
    // The farthest first, so that all factors are included.
    for output in descendants(trace, curve).into_iter().rev() {
        for input in &inputs {
            let base = Tensor::from_floats(&samples);
            let Some(found) = trace
                .replay(&output, input, base)
                .and_then(|found| found.floats())
            else {
                continue;
            };
            let is_near = |(found, expected): (&f32, &f32)| {
                (found - expected).abs() <= 2e-6 * expected.abs().max(1.)
            };
            if found.len() == expected.len() && found.iter().zip(&expected).all(is_near) {
                let approximate = if is_tanh { "tanh" } else { "none" };
                let fused = node(GELU, DOMAIN, &[input], &[&output])
                    .with_string("approximate", approximate);
                return Some(Replacement {
                    output,
                    nodes: vec![fused],
                });
            }
        }
    }
    None
}

/// Our [`GELU`] in place of the standard one, or of one of ONNX Runtime's
/// without a bias, so that later steps know only one.
pub(super) fn rename(gelu: &NodeProto) -> Option<Replacement> {
    let is_contrib = gelu.input.len() == 1 && gelu.domain.as_deref() == Some(CONTRIB_DOMAIN);
    let approximate = match gelu.op_type.as_deref()? {
        "Gelu" if gelu.is("Gelu") && gelu.string("approximate") == "tanh" => "tanh",
        "Gelu" if gelu.is("Gelu") || is_contrib => "none",
        "FastGelu" if is_contrib => "tanh",
        _ => return None,
    };
    let (input, output) = (gelu.input.first()?, gelu.output.first()?);
    let renamed = node(GELU, DOMAIN, &[input], &[output]);
    Some(Replacement {
        output: output.clone(),
        nodes: vec![renamed.with_string("approximate", approximate)],
    })
}

/// `x * (1 + erf(x / sqrt(2))) / 2`, or the approximation by tanh.
///
/// Source: Hendrycks and Gimpel, 2016.
fn gelu(x: f32, is_tanh: bool) -> f32 {
    let curve = if is_tanh {
        ((2. / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()
    } else {
        erf(x * std::f32::consts::FRAC_1_SQRT_2)
    };
    0.5 * x * (1. + curve)
}

/// Values that depend on the texts and that `value` is computed from, the
/// nearest first.
fn ancestors(trace: &Trace<'_>, value: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut level = vec![value.to_owned()];
    for _ in 0..REACH {
        let inputs = level
            .iter()
            .filter_map(|name| trace.index().producer(name))
            .flat_map(|node| {
                let is_elementwise = ["Add", "Sub", "Mul", "Div", "Pow", "Erf", "Tanh", "Cast"]
                    .iter()
                    .any(|name| node.is(name));
                node.input.iter().filter(move |_| is_elementwise)
            });
        let next: BTreeSet<String> = inputs
            .filter(|name| trace.is_opaque(name))
            .filter(|name| !found.contains(name))
            .cloned()
            .collect();
        found.extend(next.iter().cloned());
        level = next.into_iter().collect();
    }
    found
}

/// Values that are computed from `value` by sums and products, the nearest
/// first.
fn descendants(trace: &Trace<'_>, value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut value = value;
    for _ in 0..REACH {
        let Some(reader) = trace.index().reader(value) else {
            break;
        };
        let is_elementwise = ["Add", "Mul", "Div", "Cast"]
            .iter()
            .any(|name| reader.is(name));
        match reader.output.first().filter(|_| is_elementwise) {
            Some(output) => value = output,
            None => break,
        }
        found.push(value.to_owned());
    }
    found
}
