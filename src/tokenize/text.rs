//! The result of tokenizing one text.

use std::ops::Range;

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenRole {
    /// Added by the tokenizer, such as `[CLS]` and `[SEP]`.
    Special,
    /// The marker of queries or of documents.
    Prefix,
    /// From the text itself.
    Text,
    /// A mask token that fills up a query.
    Expansion,
}

/// How much of a text did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Tokens of the text that were encoded, special tokens not counted.
    pub kept_tokens: usize,
    /// Tokens of the text that were cut off.
    pub dropped_tokens: usize,
}

impl Truncation {
    /// Whether anything was cut off.
    pub fn is_truncated(&self) -> bool {
        self.dropped_tokens > 0
    }
}

/// A text as the model sees it: one entry a token in every list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedText {
    pub(crate) input_ids: Vec<u32>,
    pub(crate) attention_mask: Vec<bool>,
    pub(crate) kept: Vec<bool>,
    pub(crate) roles: Vec<TokenRole>,
    pub(crate) spans: Vec<(usize, usize)>,
    pub(crate) truncation: Truncation,
}

impl TokenizedText {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.input_ids.len()
    }

    /// Whether there is no token, not even a special one.
    pub fn is_empty(&self) -> bool {
        self.input_ids.is_empty()
    }

    /// Token ids.
    pub fn input_ids(&self) -> &[u32] {
        &self.input_ids
    }

    /// Which tokens the model attends to.
    pub fn attention_mask(&self) -> &[bool] {
        &self.attention_mask
    }

    /// Which tokens become rows of the embedding.
    pub fn kept(&self) -> &[bool] {
        &self.kept
    }

    /// Where each token comes from.
    pub fn roles(&self) -> &[TokenRole] {
        &self.roles
    }

    /// The bytes of the text as given that a token stands for, on character
    /// boundaries; `None` for tokens that are not from the text.
    ///
    /// # Panics
    /// If `token` is not below [`len`](Self::len).
    pub fn span(&self, token: usize) -> Option<Range<usize>> {
        let (start, end) = self.spans[token];
        (self.roles[token] == TokenRole::Text).then_some(start..end)
    }

    /// How much of the text did not fit.
    pub fn truncation(&self) -> Truncation {
        self.truncation
    }
}
