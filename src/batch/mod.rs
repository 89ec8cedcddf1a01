//! Packing of tokenized texts into batches.

mod buckets;
mod plan;

use crate::tokenize::TokenizedText;
pub use buckets::{BatchShapes, Buckets};
pub use plan::{PADDING_SHARE, PADDING_TOKENS, plan};

/// Tokens whose states stay in a core's caches from one layer to the next:
/// where a batch has a core of its own, larger ones are slower. With many more
/// weights than tokens, smaller ones would be.
pub const CACHED_TOKENS: usize = 320;

/// As many levels of 8 bits stay there, where that is what products read.
const CACHED_LEVELS: usize = 240 << 10;

/// [`CACHED_TOKENS`] of a model whose products read 8 bits for each of `width`
/// columns of a token: up to twice as many where tokens are narrow.
pub fn cached_tokens(width: usize) -> usize {
    let tokens = CACHED_LEVELS / width.max(1);
    tokens.clamp(CACHED_TOKENS, 2 * CACHED_TOKENS)
}

/// How much goes into one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchLimit {
    /// As many tokens as the engine is fastest with.
    Auto,
    /// At most this many texts.
    Texts(usize),
    /// At most this many tokens, padding included; a single longer text still
    /// forms a batch of its own.
    Tokens(usize),
}

impl BatchLimit {
    /// The limit, where `tokens` are what the engine is fastest with.
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
pub struct TokenBatch {
    /// Texts in the batch.
    pub rows: usize,
    /// Tokens of each row; shorter texts are padded to it.
    pub length: usize,
    /// Token ids.
    pub input_ids: Vec<i64>,
    /// 1 where a token is attended to, 0 for padding and for expansion tokens
    /// that the model does not attend to.
    pub attention_mask: Vec<i64>,
}

impl TokenBatch {
    /// Lays out texts in the order given, `[rows, length]`, padding with
    /// `pad_id`. Rows beyond the texts repeat the last one: what is no text at
    /// all could spoil those beside it.
    ///
    /// Texts beyond the rows are left out, and so are tokens beyond the length.
    pub fn new<'a>(
        [rows, length]: [usize; 2],
        texts: impl Iterator<Item = &'a TokenizedText> + Clone,
        pad_id: u32,
    ) -> Self {
        let last = texts.clone().last();
        let texts = texts.chain(std::iter::repeat_with(move || last).flatten());
        let mut input_ids = Vec::with_capacity(rows * length);
        let mut attention_mask = Vec::with_capacity(rows * length);
        for (row, text) in texts.take(rows).enumerate() {
            input_ids.extend(text.input_ids().iter().map(|&id| i64::from(id)));
            attention_mask.extend(text.attention_mask().iter().map(|&bit| i64::from(bit)));
            input_ids.resize((row + 1) * length, i64::from(pad_id));
            attention_mask.resize((row + 1) * length, 0);
        }
        Self {
            rows,
            length,
            input_ids,
            attention_mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_tokens_are_more() {
        let of_width = [0, 128, 384, 512, 768, 1024, usize::MAX].map(cached_tokens);
        assert_eq!(of_width, [640, 640, 640, 480, 320, 320, 320]);
    }
}
