//! Linear layers in standard operators, as exporters write them.

use std::collections::HashMap;

use super::super::CONTRIB;
use super::super::node::node;
use super::super::onnx::{FLOAT, NodeProto};
use super::parts::Parts;

/// The levels, scale and zero point of rows that were quantized before, by
/// their name and that of what they were multiplied by.
pub(super) type Levels = HashMap<[String; 2], [String; 3]>;

/// Writes the product and what shifts and bends its result.
pub(super) fn lower(linear: &NodeProto, parts: &mut Parts, levels: &mut Levels) {
    let input = |at: usize| linear.input.get(at).map_or("", String::as_str);
    let mut result = match input(2) {
        "" if linear.int("transposed", 0) != 0 => {
            let weights = parts.add_with("Transpose", &[input(1)], |node| {
                node.with_ints("perm", &[1, 0])
            });
            parts.add("MatMul", &[input(0), &weights])
        }
        "" => parts.add("MatMul", &[input(0), input(1)]),
        _ => quantized_product(linear, parts, levels),
    };
    if !input(4).is_empty() {
        result = parts.add("Add", &[input(4), &result]);
    }
    result = activate(linear.text("activation"), result, parts);
    if !input(5).is_empty() {
        result = parts.add("Add", &[input(5), &result]);
    }
    parts.rename(&result, &linear.output.concat());
}

/// `DynamicQuantizeLinear`, `MatMulInteger` and what scales their result, with
/// one scale for the whole tensor of rows.
fn quantized_product(linear: &NodeProto, parts: &mut Parts, levels: &mut Levels) -> String {
    let input = |at: usize| linear.input.get(at).map_or("", String::as_str);
    let [quantized, scale, zero] = levels
        .entry([0, 6].map(|at| input(at).to_owned()))
        .or_insert_with(|| {
            let smooth = match input(6) {
                "" => input(0).to_owned(),
                factors => parts.add("Mul", &[input(0), factors]),
            };
            let outputs = [0; 3].map(|_| parts.unique("DynamicQuantizeLinear"));
            let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
            parts.push(node("DynamicQuantizeLinear", "", &[&smooth], &names));
            outputs
        })
        .clone();
    let mut factors = vec![quantized.as_str(), input(1), &zero];
    if !input(3).is_empty() {
        factors.push(input(3));
    }
    let product = parts.add("MatMulInteger", &factors);
    let product = parts.add_with("Cast", &[&product], |node| {
        node.with_int("to", FLOAT.into())
    });
    let scales = parts.add("Mul", &[&scale, input(2)]);
    parts.add("Mul", &[&product, &scales])
}

fn activate(activation: &str, value: String, parts: &mut Parts) -> String {
    let gelu = |value: &str, parts: &mut Parts| {
        let operator = match activation.ends_with("tanh") {
            true => "FastGelu",
            false => "Gelu",
        };
        let output = parts.unique(operator);
        parts.push(node(operator, CONTRIB, &[value], &[&output]));
        output
    };
    match activation {
        "gelu" | "gelu_tanh" => gelu(&value, parts),
        "gated_gelu" | "gated_gelu_tanh" => {
            let halves = [0; 2].map(|_| parts.unique("Split"));
            let mut split = node("Split", "", &[&value], &[&halves[0], &halves[1]]);
            // From then on the number of parts has to be told.
            if parts.opset() >= 18 {
                split = split.with_int("num_outputs", 2);
            }
            parts.push(split.with_int("axis", -1));
            let activated = gelu(&halves[0], parts);
            parts.add("Mul", &[&activated, &halves[1]])
        }
        _ => value,
    }
}
