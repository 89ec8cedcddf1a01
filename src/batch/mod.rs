//! Packing tokenized texts into batches.

mod buckets;
mod plan;

use crate::tokenize::TokenizedText;
pub use buckets::BatchShapes;
#[doc(hidden)]
pub use buckets::Buckets;
#[doc(hidden)]
pub use plan::{PADDING_SHARE, PADDING_TOKENS, plan, plan_unpadded};

/// Tokens of a batch whose states stay in a core's caches from one layer to
/// the next, where each core runs a batch of its own. Larger batches miss the
/// caches; smaller ones read the weights more often per token.
#[doc(hidden)]
pub const CACHED_TOKENS: usize = 320;

/// Bytes of quantized values that stay in the caches.
const CACHED_BYTES: usize = 240 << 10;

/// [`CACHED_TOKENS`] of a model whose layers read `width` quantized values of
/// 8 bits per token: up to twice as many for narrow models.
#[doc(hidden)]
pub fn cached_tokens(width: usize) -> usize {
    let tokens = CACHED_BYTES / width.max(1);
    tokens.clamp(CACHED_TOKENS, 2 * CACHED_TOKENS)
}

/// The maximum size of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BatchLimit {
    /// The number of tokens at which the engine is fastest.
    #[default]
    Auto,
    /// At most this many texts, at least 1.
    Texts(usize),
    /// At most this many tokens including padding, at least 1; a longer text
    /// gets a batch of its own.
    Tokens(usize),
}

impl BatchLimit {
    /// Replaces [`BatchLimit::Auto`] by this many tokens.
    pub(crate) fn or_tokens(self, tokens: usize) -> Self {
        match self {
            Self::Auto => Self::Tokens(tokens),
            given => given,
        }
    }

    /// Whether a batch of this shape is within the limit.
    fn admits(self, rows: usize, length: usize) -> bool {
        match self {
            Self::Texts(limit) => rows <= limit,
            Self::Auto => rows.saturating_mul(length) <= CACHED_TOKENS,
            Self::Tokens(limit) => rows.saturating_mul(length) <= limit,
        }
    }
}

/// The input of one run: `[rows, length]`, row-major, padded at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenBatch {
    /// Texts in the batch.
    pub rows: usize,
    /// Tokens per row; shorter texts are padded to this length.
    pub length: usize,
    /// Token ids, `[rows, length]`.
    pub input_ids: Vec<i64>,
    /// `[rows, length]`: 1 for tokens that are attended to, 0 for padding and
    /// for expansion tokens that the model does not attend to.
    pub attention_mask: Vec<i64>,
    /// `[rows, length]`: 1 for tokens of the second text of a pair; `None` if
    /// all are 0.
    pub token_type_ids: Option<Vec<i64>>,
}

impl TokenBatch {
    /// `rows` rows of equal length, without padding. Ids that do not fill a
    /// row are left out.
    pub fn unpadded(rows: usize, mut input_ids: Vec<i64>) -> Self {
        let length = input_ids.len().checked_div(rows).unwrap_or(0);
        input_ids.truncate(rows * length);
        Self {
            rows,
            length,
            attention_mask: vec![1; input_ids.len()],
            input_ids,
            token_type_ids: None,
        }
    }

    /// Lays out texts in the order given, `[rows, length]`, padded with
    /// `pad_id`. Rows beyond the texts repeat the last one: where one scale is
    /// shared by the whole batch, a row of mere padding would change the
    /// vectors of the texts.
    ///
    /// Texts beyond the rows and tokens beyond the length are left out.
    pub(crate) fn new<'a>(
        [rows, length]: [usize; 2],
        texts: impl Iterator<Item = &'a TokenizedText> + Clone,
        pad_id: u32,
    ) -> Self {
        let has_types = texts.clone().any(|text| text.second.is_some());
        let mut token_type_ids = has_types.then(|| vec![0; rows * length]);
        let last = texts.clone().last();
        let texts = texts.chain(std::iter::repeat_with(move || last).flatten());
        let mut input_ids = Vec::with_capacity(rows * length);
        let mut attention_mask = Vec::with_capacity(rows * length);
        for (row, text) in texts.take(rows).enumerate() {
            input_ids.extend(text.input_ids().iter().map(|&id| i64::from(id)));
            attention_mask.extend(text.attention_mask().iter().map(|&bit| i64::from(bit)));
            input_ids.resize((row + 1) * length, i64::from(pad_id));
            attention_mask.resize((row + 1) * length, 0);
            if let (Some(types), Some(start)) = (&mut token_type_ids, text.second) {
                let tokens = start.min(length)..text.len().min(length);
                types[row * length..][tokens].fill(1);
            }
        }
        Self {
            rows,
            length,
            input_ids,
            attention_mask,
            token_type_ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_narrow_models_have_more_tokens() {
        let of_width = [0, 128, 384, 512, 768, 1024, usize::MAX].map(cached_tokens);
        assert_eq!(of_width, [640, 640, 640, 480, 320, 320, 320]);
    }
}
