//! L2 normalization in standard operators.

use super::super::onnx::NodeProto;
use super::parts::Parts;

/// Writes the length of each row, what keeps it from being too small, and the
/// quotient.
pub(super) fn lower(scale: &NodeProto, parts: &mut Parts) {
    let x = scale.input.first().map_or("", String::as_str);
    let keep = |node: NodeProto| node.with_int("keepdims", 1);
    let epsilon = scale.float("epsilon", 0.);
    let divisor = match scale.text("bound") {
        "root" => {
            let squares = parts.add_over("ReduceSumSquare", x, &[-1], 18, keep);
            let least = parts.float(epsilon * epsilon);
            let sum = parts.add("Add", &[&squares, &least]);
            parts.add("Sqrt", &[&sum])
        }
        bound => {
            let length = parts.add_over("ReduceL2", x, &[-1], 18, keep);
            let least = parts.float(epsilon);
            let operator = if bound == "sum" { "Add" } else { "Max" };
            parts.add(operator, &[&length, &least])
        }
    };
    let result = parts.add("Div", &[x, &divisor]);
    parts.rename(&result, &scale.output.concat());
}
