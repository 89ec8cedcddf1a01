//! Normalizations of sums, and those without a mean.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use crate::blocks;

/// `SkipLayerNormalization(x, skip, scale, shift?, bias?)` normalizes
/// `x + skip + bias`. The sum is the fourth output.
pub(super) fn skip(call: &mut Call<'_>) -> Option<Vec<String>> {
    let scale = call.input(2)?;
    let sum = sum(call, 4)?;
    let mut inputs = vec![sum.as_str(), scale];
    inputs.extend(call.input(3));
    let epsilon = call.node.float("epsilon", 1e-12);
    let normal = layer_norm(call, &inputs, epsilon);
    Some(outputs(normal, sum))
}

/// `SkipSimplifiedLayerNormalization(x, skip, scale, bias?)`
pub(super) fn skip_simplified(call: &mut Call<'_>) -> Option<Vec<String>> {
    let scale = call.input(2)?;
    call.is_float(0).then_some(())?;
    let sum = sum(call, 3)?;
    let epsilon = call.node.float("epsilon", 1e-12);
    let normal = blocks::rms_norm(call.builder, &sum, scale, epsilon);
    Some(outputs(normal, sum))
}

/// `SimplifiedLayerNormalization(x, scale)`, over the last axis.
pub(super) fn simplified(call: &mut Call<'_>) -> Option<Vec<String>> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let last = call.shape(0)?.len() as i64 - 1;
    let axis = call.node.int("axis", -1);
    if !call.is_float(0) || !(axis == -1 || axis == last) {
        return None;
    }
    let epsilon = call.node.float("epsilon", 1e-5);
    Some(vec![blocks::rms_norm(call.builder, x, scale, epsilon)])
}

pub(super) fn layer_norm(call: &mut Call<'_>, inputs: &[&str], epsilon: f32) -> String {
    call.builder.add_with("LayerNormalization", inputs, |node| {
        node.with_int("axis", -1).with_float("epsilon", epsilon)
    })
}

fn outputs(normal: String, sum: String) -> Vec<String> {
    vec![normal, String::new(), String::new(), sum]
}

/// The sum of the first two inputs and a bias. It is added to the product of a
/// linear layer, if there is one.
fn sum(call: &mut Call<'_>, bias: usize) -> Option<String> {
    let (x, skip) = (call.input(0)?, call.input(1)?);
    let Some(bias) = call.input(bias) else {
        return Some(call.builder.add("Add", &[x, skip]));
    };
    let (first, second) = if is_product(call, skip) && !is_product(call, x) {
        (skip, x)
    } else {
        (x, skip)
    };
    let biased = call.builder.add("Add", &[first, bias]);
    Some(call.builder.add("Add", &[&biased, second]))
}

fn is_product(call: &Call<'_>, value: &str) -> bool {
    let producer = call.trace.index().producer(value);
    let operator = producer.and_then(|node| node.op_type.as_deref());
    matches!(
        operator,
        Some(
            "MatMul"
                | "FusedMatMul"
                | "DynamicQuantizeMatMul"
                | "MatMulIntegerToFloat"
                | "MatMulNBits"
        )
    )
}
