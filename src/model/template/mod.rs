//! Chat templates of rerankers: the part of Jinja that lays out a query and a
//! document, and refuses what else there is.
//!
//! Sources: Jinja 3.1, "Template Designer Documentation"; transformers 5,
//! `utils/chat_template_utils.py`, which trims the white space around blocks;
//! sentence-transformers 6.2, `base/modality.py`, for the messages of a pair.

mod expression;
mod pieces;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::config::{PairTemplate, TemplatePart};
use expression::{Scope, Value};
use pieces::{Piece, pieces};

/// How templates reach the text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageFormat {
    /// It is the content.
    Flat,
    /// It is the text of the first item of the content.
    Structured,
}

impl MessageFormat {
    /// That of sentence-transformers if files state none.
    pub(super) fn of(template: &str) -> Self {
        const PATTERNS: [&str; 6] = [
            "content[0]",
            ".type",
            "'type'",
            "\"type\"",
            "item.type",
            "message.content[",
        ];
        if PATTERNS.iter().any(|pattern| template.contains(pattern)) {
            Self::Structured
        } else {
            Self::Flat
        }
    }
}

/// What is known where a template is read.
pub(super) struct Setting<'a> {
    pub(super) format: MessageFormat,
    /// Variables that are true or false; others are not defined.
    pub(super) flags: &'a BTreeMap<String, bool>,
}

/// Reads a template. The error is what was found in place of the forms that are
/// known.
pub(super) fn read(template: &str, setting: &Setting<'_>) -> Result<PairTemplate, String> {
    let mut scope = Scope::new(setting);
    let mut parts = Vec::new();
    // For each open block whether what is in it is written.
    let mut blocks: Vec<bool> = Vec::new();
    for piece in pieces(template)? {
        let is_written = blocks.iter().all(|&is_written| is_written);
        match piece {
            Piece::Text(text) if is_written => parts.push(TemplatePart::Text(text)),
            Piece::Value(code) if is_written => match scope.evaluate(&code)? {
                Value::Parts(found) => parts.extend(found),
                other => return Err(format!("`{{{{{code}}}}}`, which is {}", other.name())),
            },
            Piece::Text(_) | Piece::Value(_) => {}
            Piece::Block(code) => {
                let unknown = || format!("`{{%{code}%}}`");
                let words: Vec<&str> = code.split_whitespace().collect();
                match words.as_slice() {
                    ["if", flag] => blocks.push(scope.flag(flag)?),
                    ["if", "not", flag] => blocks.push(!scope.flag(flag)?),
                    ["else"] => {
                        let open = blocks.last_mut().ok_or_else(unknown)?;
                        *open = !*open;
                    }
                    ["endif"] => drop(blocks.pop().ok_or_else(unknown)?),
                    ["set", ..] => {
                        let (name, value) = code.split_once('=').ok_or_else(unknown)?;
                        let name = name.trim().trim_start_matches("set").trim().to_owned();
                        if is_written {
                            let value = scope.evaluate(value)?;
                            scope.set(name, value);
                        }
                    }
                    _ => return Err(unknown()),
                }
            }
        }
    }
    if !blocks.is_empty() {
        return Err("a block without an end".to_owned());
    }
    for (part, name) in [
        (TemplatePart::Query, "query"),
        (TemplatePart::Document, "document"),
    ] {
        if !parts.contains(&part) {
            return Err(format!("no place for the {name}"));
        }
    }
    Ok(PairTemplate {
        parts: joined(parts),
    })
}

/// One text in place of several.
fn joined(parts: Vec<TemplatePart>) -> Vec<TemplatePart> {
    let mut joined: Vec<TemplatePart> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(TemplatePart::Text(before)), TemplatePart::Text(text)) => before.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    joined
}
