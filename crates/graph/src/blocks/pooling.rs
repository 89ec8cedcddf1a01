//! Tokens joined to one row a text.

use super::masks::Mask;
use crate::builder::Builder;
use crate::onnx::NodeProto;
use multivec_kernels::{Join, TokenPooling};

/// `[batch, length, columns]` becomes `[batch, 1, columns]`.
pub(crate) fn pool_tokens(builder: &mut Builder, x: &str, pooling: TokenPooling) -> String {
    let keep = |node: NodeProto| node.with_int("keepdims", 1);
    // Nothing is below 0 in the end, which padding becomes.
    let tokens = Mask::column_of_tokens(builder);
    let x = builder.add("Mul", &[x, &tokens]);
    match pooling.join {
        // Logarithms keep the order of values.
        Join::Max => {
            let largest = builder.add_over("ReduceMax", &x, &[1], 18, keep);
            grown(builder, &largest, pooling.logs)
        }
        Join::Sum => {
            let values = grown(builder, &x, pooling.logs);
            builder.add_over("ReduceSum", &values, &[1], 13, keep)
        }
    }
}

/// `max(x, 0)`, and the logarithms of 1 more.
fn grown(builder: &mut Builder, x: &str, logs: u32) -> String {
    let mut value = builder.add("Relu", &[x]);
    for _ in 0..logs {
        let one = builder.float(1.);
        let sum = builder.add("Add", &[&value, &one]);
        value = builder.add("Log", &[&sum]);
    }
    value
}
