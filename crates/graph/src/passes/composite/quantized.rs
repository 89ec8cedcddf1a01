//! Products of quantized matrices that ONNX Runtime's optimizer joins with what
//! is before and after them, as exporters write them.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use crate::onnx::FLOAT;

/// `DynamicQuantizeMatMul(x, weights, weight_scale, weight_zero?, bias?)`
pub(super) fn dynamic_quantize_matmul(call: &mut Call<'_>) -> Option<Vec<String>> {
    let (x, weights, weight_scale) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let [values, scale, zero] = call.quantize(x);
    let scaled = Scaled {
        x: values,
        x_scale: scale,
        x_zero: Some(zero),
        weights,
        weight_scale,
        weight_zero: call.input(3),
        bias: call.input(4),
    };
    Some(vec![product(call, &scaled)])
}

/// `MatMulIntegerToFloat(x, weights, x_scale, weight_scale, x_zero?,
/// weight_zero?, bias?)`
pub(super) fn matmul_integer_to_float(call: &mut Call<'_>) -> Option<Vec<String>> {
    let scaled = Scaled {
        x: call.input(0)?.to_owned(),
        x_scale: call.input(2)?.to_owned(),
        x_zero: call.input(4).map(str::to_owned),
        weights: call.input(1)?,
        weight_scale: call.input(3)?,
        weight_zero: call.input(5),
        bias: call.input(6),
    };
    Some(vec![product(call, &scaled)])
}

/// The operands of a product, and how they are quantized.
pub(super) struct Scaled<'a> {
    pub(super) x: String,
    pub(super) x_scale: String,
    pub(super) x_zero: Option<String>,
    pub(super) weights: &'a str,
    pub(super) weight_scale: &'a str,
    pub(super) weight_zero: Option<&'a str>,
    pub(super) bias: Option<&'a str>,
}

/// Adds the nodes of the product as floats, with the bias.
pub(super) fn product(call: &mut Call<'_>, scaled: &Scaled<'_>) -> String {
    let mut inputs = vec![
        scaled.x.as_str(),
        scaled.weights,
        scaled.x_zero.as_deref().unwrap_or_default(),
        scaled.weight_zero.unwrap_or_default(),
    ];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let sums = call.builder.add("MatMulInteger", &inputs);
    let sums = call.cast(&sums, FLOAT);
    let factor = [scaled.x_scale.as_str(), scaled.weight_scale];
    let factor = call.builder.add("Mul", &factor);
    let result = call.builder.add("Mul", &[&sums, &factor]);
    match scaled.bias {
        Some(bias) => call.builder.add("Add", &[&result, bias]),
        None => result,
    }
}
