//! Linear layers and normalizations.

use crate::builder::Builder;
use crate::onnx::NodeProto;

/// `x @ weights^T`, with weights `[outer, inner]` as PyTorch has them.
pub(crate) fn product(builder: &mut Builder, x: &str, weights: &str) -> String {
    let transpose = |node: NodeProto| node.with_ints("perm", &[1, 0]);
    let transposed = builder.add_with("Transpose", &[weights], transpose);
    builder.add("MatMul", &[x, &transposed])
}

/// Layer normalization over the last axis; `scale` may be followed by a bias.
pub(crate) fn layer_norm(
    builder: &mut Builder,
    x: &str,
    weights: &[String],
    epsilon: f32,
) -> String {
    let mut inputs = vec![x];
    inputs.extend(weights.iter().map(String::as_str));
    builder.add_with("LayerNormalization", &inputs, |node| {
        node.with_int("axis", -1).with_float("epsilon", epsilon)
    })
}

/// `x / sqrt(mean(x^2) + epsilon) * scale` over the last axis.
pub(crate) fn rms_norm(builder: &mut Builder, x: &str, scale: &str, epsilon: f32) -> String {
    let two = builder.float(2.);
    let squares = builder.add("Pow", &[x, &two]);
    let mean = builder.add_over("ReduceMean", &squares, &[-1], 18, |node| node);
    let epsilon = builder.float(epsilon);
    let sum = builder.add("Add", &[&mean, &epsilon]);
    let root = builder.add("Sqrt", &[&sum]);
    let normal = builder.add("Div", &[x, &root]);
    builder.add("Mul", &[&normal, scale])
}

/// `x / max(|x|, epsilon)` for rows `[batch, length, width]`.
pub(crate) fn l2_normalize(builder: &mut Builder, x: &str, epsilon: f32) -> String {
    let norm = builder.add_over("ReduceL2", x, &[2], 18, |node| node.with_int("keepdims", 1));
    let least = builder.float(epsilon);
    let bounded = builder.add("Max", &[&norm, &least]);
    builder.add("Div", &[x, &bounded])
}
