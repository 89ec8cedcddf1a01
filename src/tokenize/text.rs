//! The result of tokenizing one text.

use std::ops::Range;

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TokenRole {
    /// Added by the tokenizer, such as `[CLS]` and `[SEP]`.
    Special,
    /// The marker or prompt of queries or of documents.
    Prefix,
    /// From the text itself.
    Text,
    /// A mask token that expands a query.
    Expansion,
}

impl TokenRole {
    /// A number for bindings: 0, 1, 2 and so on in the order of the variants.
    #[doc(hidden)]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How much of a text was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Truncation {
    /// Tokens of the text that were encoded, not counting special tokens.
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

/// A tokenized text. All lists have one entry per token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizedText {
    pub(crate) input_ids: Vec<u32>,
    pub(crate) attention_mask: Vec<bool>,
    pub(crate) kept: Vec<bool>,
    pub(crate) roles: Vec<TokenRole>,
    pub(crate) spans: Vec<(usize, usize)>,
    /// Where the second text of a pair begins.
    pub(crate) second: Option<usize>,
    pub(crate) truncation: Truncation,
}

impl TokenizedText {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.input_ids.len()
    }

    /// Whether it has no token, not even a special one.
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

    /// A token's bytes in the original text, on character boundaries; `None`
    /// for tokens that are not from the text.
    ///
    /// # Panics
    /// If `token` is not below [`len`](Self::len).
    pub fn span(&self, token: usize) -> Option<Range<usize>> {
        let (start, end) = self.spans[token];
        (self.roles[token] == TokenRole::Text).then_some(start..end)
    }

    /// How much of the text was cut off.
    pub fn truncation(&self) -> Truncation {
        self.truncation
    }
}
