//! Gated short convolutions in standard operators.

use crate::builder::Builder;
use crate::graph::Graph;
use crate::onnx::NodeProto;

/// Adds a `Conv` of columns between two products.
pub(super) fn lower(node: &NodeProto, graph: &Graph, builder: &mut Builder) {
    let input = |at: usize| node.input.get(at).map_or("", String::as_str);
    let weights = graph.initializer(input(1));
    let dims = weights.map_or(&[][..], |weights| &weights.dims);
    let width = dims.first().copied().unwrap_or(0);
    let taps = dims.last().copied().unwrap_or(1);
    let before = node.int("before", 0);
    let columns = |node: NodeProto| node.with_ints("perm", &[0, 2, 1]);
    let [b, c, x] = builder.split(input(0), -1, [width; 3]);
    let product = builder.add("Mul", &[&b, &x]);
    let product = builder.add_with("Transpose", &[&product], columns);
    let mut inputs = vec![product.as_str(), input(1)];
    if !input(2).is_empty() {
        inputs.push(input(2));
    }
    let convolved = builder.add_with("Conv", &inputs, |conv| {
        conv.with_int("group", width)
            .with_ints("kernel_shape", &[taps])
            .with_ints("pads", &[before, taps - 1 - before])
    });
    let convolved = builder.add_with("Transpose", &[&convolved], columns);
    let result = builder.add("Mul", &[&c, &convolved]);
    builder.rename(&result, &node.output.concat());
}
