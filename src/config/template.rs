//! Templates of the text that a query and a document become together.

use serde::Serialize;

/// The parts of a text that instruction rerankers read, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairTemplate {
    /// At least a query and a document are among them.
    pub parts: Vec<TemplatePart>,
}

/// A part of a [`PairTemplate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TemplatePart {
    /// The same in all texts.
    Text(String),
    /// The query.
    Query,
    /// The document.
    Document,
    /// The prompt, or this text without one.
    Instruction(String),
}

/// What the parts of a template stand for.
#[derive(Clone, Copy)]
pub(crate) struct Filling<'a> {
    pub(crate) query: &'a str,
    pub(crate) document: &'a str,
    /// Empty for none.
    pub(crate) instruction: &'a str,
}

impl PairTemplate {
    pub(crate) fn fill(&self, with: Filling<'_>) -> String {
        let parts = self.parts.iter().map(|part| match part {
            TemplatePart::Text(text) => text,
            TemplatePart::Query => with.query,
            TemplatePart::Document => with.document,
            TemplatePart::Instruction(text) if with.instruction.is_empty() => text,
            TemplatePart::Instruction(_) => with.instruction,
        });
        parts.collect()
    }
}
