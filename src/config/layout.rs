//! How texts are laid out, where formats differ. The defaults are PyLate's.

use serde::Serialize;

use super::TextKind;

/// What a prefix is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrefixStyle {
    /// A marker: one token, inserted after the first special token.
    #[default]
    Token,
    /// A prompt: text in front of the text, tokenized with it. It counts
    /// towards the length, and its tokens become rows.
    Text,
}

/// What happens to a text before it is tokenized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Preparation {
    /// White space around it is removed; it is lower-cased as by Python's
    /// `str.lower` (sentence-transformers up to 5, and PyLate over it).
    #[default]
    Stripped,
    /// Nothing; lower-casing is the first step of the tokenizer's normalizer
    /// (sentence-transformers 6).
    Verbatim,
}

/// What words of the skiplist mean that the vocabulary does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownWords {
    /// The unknown token, whose rows are then removed.
    #[default]
    UnknownToken,
    /// Nothing.
    Ignored,
}

/// Which texts lose the rows of skiplist words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkiplistTexts {
    /// Documents.
    #[default]
    Documents,
    /// Queries.
    Queries,
    /// Both.
    All,
}

impl SkiplistTexts {
    /// Whether texts of this kind lose rows.
    pub fn include(self, kind: TextKind) -> bool {
        match self {
            Self::Documents => kind == TextKind::Document,
            Self::Queries => kind == TextKind::Query,
            Self::All => true,
        }
    }
}

/// Whether the first token of a text has a row of an embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FirstRow {
    /// It has.
    #[default]
    Kept,
    /// It has none.
    Dropped,
}

/// A side of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before its first token.
    Left,
    /// After its last token.
    Right,
}

/// For fields that are left out of the canonical form where they have the
/// value that they had before they existed.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
