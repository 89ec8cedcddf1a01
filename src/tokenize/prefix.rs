//! Markers and prompts.

use tokenizers::Tokenizer;

use super::vocabulary::Vocabulary;
use crate::config::{ModelConfig, PrefixStyle, TextKind};
use crate::error::Result;

/// What is put in front of queries and documents.
pub(super) struct Prefixes {
    query: Prefix,
    document: Prefix,
}

enum Prefix {
    None,
    Marker(u32),
    Prompt(String),
}

impl Prefixes {
    pub(super) fn resolve(file: &str, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<Self> {
        let vocabulary = Vocabulary::of(file, tokenizer)?;
        let resolve = |kind| match config.prefix_style {
            _ if config.prefix(kind).is_empty() => Ok(Prefix::None),
            PrefixStyle::Token => vocabulary.marker_id(config, kind).map(Prefix::Marker),
            PrefixStyle::Text => Ok(Prefix::Prompt(config.prefix(kind).to_owned())),
        };
        Ok(Self {
            query: resolve(TextKind::Query)?,
            document: resolve(TextKind::Document)?,
        })
    }

    fn of(&self, kind: TextKind) -> &Prefix {
        match kind {
            TextKind::Query => &self.query,
            TextKind::Document => &self.document,
        }
    }

    /// The id of the marker that is inserted after the first special token.
    pub(super) fn marker(&self, kind: TextKind) -> Option<u32> {
        match self.of(kind) {
            Prefix::Marker(id) => Some(*id),
            Prefix::None | Prefix::Prompt(_) => None,
        }
    }

    /// The text that is put in front of a text; empty for none.
    pub(super) fn prompt(&self, kind: TextKind) -> &str {
        match self.of(kind) {
            Prefix::Prompt(text) => text,
            Prefix::None | Prefix::Marker(_) => "",
        }
    }
}
