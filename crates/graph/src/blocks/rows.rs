//! Rows of a text's token states.

use super::masks::{Positions, unsqueeze};
use crate::builder::Builder;
use crate::onnx::{FLOAT, INT64, NodeProto};

/// The row of the last token that the mask shows, `[batch, 1, width]`, with
/// padding on either side. Tokens with the id `padding` are no last ones.
pub(crate) fn last_row(builder: &mut Builder, states: &str, padding: Option<i64>) -> String {
    let mut tokens = "attention_mask".to_owned();
    if let Some(padding) = padding {
        let to_int = |node: NodeProto| node.with_int("to", INT64.into());
        let padding = builder.int(padding);
        let is_padding = builder.add("Equal", &["input_ids", &padding]);
        let is_other = builder.add("Not", &[&is_padding]);
        let others = builder.add_with("Cast", &[&is_other], to_int);
        tokens = builder.add("Mul", &[&tokens, &others]);
    }
    let positions = Positions::of_inputs(builder).0;
    let places = builder.add("Mul", &[&tokens, &positions]);
    let keep = |node: NodeProto| node.with_int("keepdims", 1);
    let last = builder.add_over("ReduceMax", &places, &[1], 18, keep);
    let is_last = builder.add("Equal", &[&positions, &last]);
    let to_float = |node: NodeProto| node.with_int("to", FLOAT.into());
    let weights = builder.add_with("Cast", &[&is_last], to_float);
    // A product with a row that is 1 in one place.
    let weights = unsqueeze(builder, &weights, 1);
    builder.add("MatMul", &[&weights, states])
}
