//! One row of a text's token states, `[batch, 1, width]`.

use super::super::draft::Draft;
use crate::blocks::{Mask, last_row};
use crate::builder::Builder;
use crate::error::Result;

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
    let padding = match ending {
        Ending::NotPadding if draft.config.get("pad_token_id").is_some() => {
            Some(draft.config.index("pad_token_id", 0)?)
        }
        _ => None,
    };
    Ok(last_row(&mut draft.builder, states, padding))
}
