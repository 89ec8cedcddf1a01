//! Linear layers in standard operators, as exporters write them.

use std::collections::HashMap;

use super::activation::apply;
use crate::blocks::pool_tokens;
use crate::builder::Builder;
use crate::node::node;
use crate::onnx::{FLOAT, NodeProto};
use crate::operators::POOLED_LINEAR;
use multivec_kernels::{Activation, Join, TokenPooling};

/// Lowers linear layers. Rows that several of them read are quantized once.
#[derive(Default)]
pub(super) struct Linears {
    /// By the rows and their smoothing.
    quantized: HashMap<[String; 2], QuantizedRows>,
}

/// The outputs of a `DynamicQuantizeLinear`.
#[derive(Clone)]
struct QuantizedRows {
    values: String,
    scale: String,
    zero_point: String,
}

impl Linears {
    pub(super) fn lower(&mut self, linear: &NodeProto, builder: &mut Builder) {
        let input = |at: usize| linear.input.get(at).map_or("", String::as_str);
        let mut result = if !input(2).is_empty() {
            self.quantized_product(linear, builder)
        } else if linear.int("transposed", 0) != 0 {
            let transpose = |node: NodeProto| node.with_ints("perm", &[1, 0]);
            let weights = builder.add_with("Transpose", &[input(1)], transpose);
            builder.add("MatMul", &[input(0), &weights])
        } else {
            builder.add("MatMul", &[input(0), input(1)])
        };
        if !input(4).is_empty() {
            result = builder.add("Add", &[input(4), &result]);
        }
        result = activate(linear, result, builder);
        if !input(5).is_empty() {
            result = builder.add("Add", &[input(5), &result]);
        }
        if linear.is_ours(POOLED_LINEAR) {
            let pooling = TokenPooling {
                join: Join::parse(linear.string("join")).unwrap_or(Join::Max),
                logs: u32::try_from(linear.int("logs", 0)).unwrap_or_default(),
            };
            result = pool_tokens(builder, &result, pooling);
        }
        builder.rename(&result, &linear.output.concat());
    }

    /// `DynamicQuantizeLinear`, `MatMulInteger` and the scaling of the result,
    /// with one scale for all rows.
    fn quantized_product(&mut self, linear: &NodeProto, builder: &mut Builder) -> String {
        let input = |at: usize| linear.input.get(at).map_or("", String::as_str);
        let rows = self.quantized_rows(input(0), input(6), builder);
        let mut factors = vec![rows.values.as_str(), input(1), &rows.zero_point];
        if !input(3).is_empty() {
            factors.push(input(3));
        }
        let product = builder.add("MatMulInteger", &factors);
        let product = builder.add_with("Cast", &[&product], |node| {
            node.with_int("to", FLOAT.into())
        });
        let scales = builder.add("Mul", &[&rows.scale, input(2)]);
        builder.add("Mul", &[&product, &scales])
    }

    fn quantized_rows(
        &mut self,
        rows: &str,
        smoothing: &str,
        builder: &mut Builder,
    ) -> QuantizedRows {
        let quantize = || {
            let smooth = match smoothing {
                "" => rows.to_owned(),
                factors => builder.add("Mul", &[rows, factors]),
            };
            let outputs = [0; 3].map(|_| builder.unique("DynamicQuantizeLinear"));
            let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
            builder.push(node("DynamicQuantizeLinear", "", &[&smooth], &names));
            let [values, scale, zero_point] = outputs;
            QuantizedRows {
                values,
                scale,
                zero_point,
            }
        };
        let key = [rows, smoothing].map(str::to_owned);
        self.quantized.entry(key).or_insert_with(quantize).clone()
    }
}

/// Applies the activation of a layer to its sums.
fn activate(linear: &NodeProto, value: String, builder: &mut Builder) -> String {
    match Activation::parse(linear.string("activation")).unwrap_or_default() {
        Activation::Each(function) => apply(function, &value, builder),
        Activation::Gated(function) => {
            let halves = [0; 2].map(|_| builder.unique("Split"));
            let mut split = node("Split", "", &[&value], &[&halves[0], &halves[1]]);
            // Required from this version on.
            if builder.opset() >= 18 {
                split = split.with_int("num_outputs", 2);
            }
            builder.push(split.with_int("axis", -1));
            let [first, second] = &halves;
            let (activated, factor) = match linear.int("activated", 0) {
                0 => (first, second),
                _ => (second, first),
            };
            let activated = apply(function, activated, builder);
            builder.add("Mul", &[&activated, factor])
        }
    }
}
