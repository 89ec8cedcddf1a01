//! Markers and prompts.

use tokenizers::Tokenizer;

use super::Layout;
use super::vocabulary::Vocabulary;
use crate::config::{ModelConfig, PrefixStyle, TextKind};
use crate::error::{Error, Result};

/// What is put in front of queries and documents.
pub(super) struct Prefixes {
    query: Prefix,
    document: Prefix,
    /// Prompts that are chosen by name.
    named: Vec<(String, String)>,
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
            named: config.prompts.clone().into_iter().collect(),
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
    pub(super) fn prompt(&self, layout: &Layout) -> &str {
        self.text(layout.kind, layout.prompt)
    }

    /// The prompt at a position among those with names, or that of a kind.
    pub(super) fn text(&self, kind: TextKind, named: Option<usize>) -> &str {
        if let Some((_, text)) = named.and_then(|at| self.named.get(at)) {
            return text;
        }
        match self.of(kind) {
            Prefix::Prompt(text) => text,
            Prefix::None | Prefix::Marker(_) => "",
        }
    }

    pub(super) fn index(&self, name: &str) -> Result<usize> {
        let at = self.named.iter().position(|(known, _)| known == name);
        at.ok_or_else(|| {
            let names: Vec<&str> = self.named.iter().map(|(name, _)| &**name).collect();
            let expected = match names.as_slice() {
                [] => "none, as the model names no prompts".to_owned(),
                names => format!("one of {}", names.join(", ")),
            };
            Error::option("prompt", expected, format_args!("{name:?}"))
        })
    }
}
