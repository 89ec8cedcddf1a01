//! L2 normalization in standard operators.

use crate::builder::Builder;
use crate::onnx::NodeProto;

/// Adds the norm of each row, bounded by epsilon, and the quotient.
pub(super) fn lower(node: &NodeProto, builder: &mut Builder) {
    let x = node.input.first().map_or("", String::as_str);
    let keep = |reduce: NodeProto| reduce.with_int("keepdims", 1);
    let epsilon = node.float("epsilon", 0.);
    let divisor = match node.string("bound") {
        "root" => {
            let squares = builder.add_over("ReduceSumSquare", x, &[-1], 18, keep);
            let least = builder.float(epsilon * epsilon);
            let sum = builder.add("Add", &[&squares, &least]);
            builder.add("Sqrt", &[&sum])
        }
        bound => {
            let norm = builder.add_over("ReduceL2", x, &[-1], 18, keep);
            let least = builder.float(epsilon);
            let operator = if bound == "sum" { "Add" } else { "Max" };
            builder.add(operator, &[&norm, &least])
        }
    };
    let result = builder.add("Div", &[x, &divisor]);
    builder.rename(&result, &node.output.concat());
}
