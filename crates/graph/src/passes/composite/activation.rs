//! Activation functions, some with a bias.
//!
//! Source: ONNX, operator set 24; ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use crate::node::node;
use crate::operators::CONTRIB_DOMAIN;

/// `x * sigmoid(alpha * x)`
pub(super) fn swish(call: &mut Call<'_>) -> Option<Vec<String>> {
    sigmoid_gated(call, 1.)
}

/// As [`swish`], with an `alpha` of its own.
pub(super) fn quick_gelu(call: &mut Call<'_>) -> Option<Vec<String>> {
    sigmoid_gated(call, 1.702)
}

fn sigmoid_gated(call: &mut Call<'_>, default: f32) -> Option<Vec<String>> {
    let x = call.input(0)?;
    call.is_float(0).then_some(())?;
    let alpha = call.node.float("alpha", default);
    let scaled = (alpha != 1.).then(|| {
        let alpha = call.builder.float(alpha);
        call.builder.add("Mul", &[x, &alpha])
    });
    let gate = scaled.as_deref().unwrap_or(x);
    let gate = call.builder.add("Sigmoid", &[gate]);
    Some(vec![call.builder.add("Mul", &[x, &gate])])
}

pub(super) fn bias_gelu(call: &mut Call<'_>) -> Option<Vec<String>> {
    biased(call, "Gelu")
}

/// `FastGelu` with a bias; without one, it is known everywhere.
pub(super) fn fast_gelu(call: &mut Call<'_>) -> Option<Vec<String>> {
    biased(call, "FastGelu")
}

fn biased(call: &mut Call<'_>, operator: &str) -> Option<Vec<String>> {
    let (x, bias) = (call.input(0)?, call.input(1)?);
    let sum = call.builder.add("Add", &[x, bias]);
    let output = call.builder.unique(operator);
    let gelu = node(operator, CONTRIB_DOMAIN, &[&sum], &[&output]);
    call.builder.push(gelu);
    Some(vec![output])
}
