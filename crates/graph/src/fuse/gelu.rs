//! Gaussian error linear units, written out or by name.

use std::collections::BTreeSet;

use super::super::CONTRIB;
use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::trace::{Tensor, Trace, erf};
use super::{DOMAIN, Links, Replacement};

/// Nodes between a GELU's input, its `Erf` or `Tanh`, and its output.
const REACH: usize = 8;

/// `Gelu` in place of the nodes around an `Erf` or `Tanh` that compute it, in
/// whatever order they multiply.
pub(super) fn find(links: &Links<'_>, trace: &Trace<'_>, bend: &NodeProto) -> Option<Replacement> {
    let is_tanh = bend.is("Tanh");
    if !is_tanh && !bend.is("Erf") {
        return None;
    }
    let bend = bend.output.first()?;
    let samples: Vec<f32> = (-24..=24).map(|at| at as f32 * 0.25).collect();
    let expected: Vec<f32> = samples.iter().map(|&x| gelu(x, is_tanh)).collect();
    let inputs = ancestors(links, trace, bend);
    // From the far end, so that factors around it are taken in.
    for output in descendants(links, bend).into_iter().rev() {
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
                let fused = node("Gelu", DOMAIN, &[input], &[&output])
                    .with_text("approximate", approximate);
                return Some(Replacement {
                    output,
                    nodes: vec![fused],
                });
            }
        }
    }
    None
}

/// `Gelu` of [`DOMAIN`] in place of the standard one, or of one of ONNX
/// Runtime's without a bias: nothing is gained but that others know it.
pub(super) fn rename(gelu: &NodeProto) -> Option<Replacement> {
    let is_alone = gelu.input.len() == 1 && gelu.domain.as_deref() == Some(CONTRIB);
    let approximate = match gelu.op_type.as_deref()? {
        "Gelu" if gelu.is("Gelu") && gelu.text("approximate") == "tanh" => "tanh",
        "Gelu" if gelu.is("Gelu") || is_alone => "none",
        "FastGelu" if is_alone => "tanh",
        _ => return None,
    };
    let (input, output) = (gelu.input.first()?, gelu.output.first()?);
    let renamed = node("Gelu", DOMAIN, &[input], &[output]);
    Some(Replacement {
        output: output.clone(),
        nodes: vec![renamed.with_text("approximate", approximate)],
    })
}

/// `x * (1 + erf(x / sqrt(2))) / 2`, Hendrycks and Gimpel, 2016, or its
/// approximation there.
fn gelu(x: f32, by_tanh: bool) -> f32 {
    let bend = match by_tanh {
        true => ((2. / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh(),
        false => erf(x * std::f32::consts::FRAC_1_SQRT_2),
    };
    0.5 * x * (1. + bend)
}

/// Values that depend on the texts and lead to `value`, the nearest first.
fn ancestors(links: &Links<'_>, trace: &Trace<'_>, value: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut level = vec![value.to_owned()];
    for _ in 0..REACH {
        let inputs = level
            .iter()
            .filter_map(|name| links.producer(name))
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

/// Values that `value` leads to by sums and products, the nearest first.
fn descendants(links: &Links<'_>, value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut value = value;
    for _ in 0..REACH {
        let Some(reader) = links.reader(value) else {
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
