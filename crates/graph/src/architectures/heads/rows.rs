//! One row of a text's token states, `[batch, 1, width]`.

use super::super::draft::Draft;
use crate::blocks::{Mask, Positions, unsqueeze};
use crate::builder::Builder;
use crate::error::Result;
use crate::onnx::{FLOAT, INT64, NodeProto};

/// The row of the first token.
pub(super) fn first(builder: &mut Builder, states: &str) -> String {
    let [start, end, axis] = [0, 1, 1].map(|at| builder.ints(&[at]));
    builder.add("Slice", &[states, &start, &end, &axis])
}

/// The mean of the rows of all tokens.
pub(super) fn mean(builder: &mut Builder, states: &str) -> String {
    let tokens = Mask::column_of_tokens(builder);
    let rows = builder.add("Mul", &[states, &tokens]);
    let [sum, count] = [rows, tokens].map(|of| {
        builder.add_over("ReduceSum", &of, &[1], 13, |node| {
            node.with_int("keepdims", 1)
        })
    });
    builder.add("Div", &[&sum, &count])
}

/// Which tokens may be the last.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// All that the mask shows.
    AnyToken,
    /// Of these, those that do not have the id of padding, where the
    /// configuration states one.
    NotPadding,
}

/// The row of the last token, with padding on either side.
pub(super) fn last(draft: &mut Draft<'_>, states: &str, ending: Ending) -> Result<String> {
    let mut tokens = "attention_mask".to_owned();
    let padding = match ending {
        Ending::NotPadding if draft.config.get("pad_token_id").is_some() => {
            Some(draft.config.index("pad_token_id", 0)?)
        }
        _ => None,
    };
    let builder = &mut draft.builder;
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
    Ok(builder.add("MatMul", &[&weights, states]))
}
