//! Lines that a run goes on without.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a line that cannot be used does to a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Ends it.
    #[default]
    Fail,
    /// Is left out, and listed at the end.
    Skip,
}

/// A text that was left out, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// The file, where the input has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Line number, from 1; of a table the row.
    pub(crate) line: usize,
    /// Position of the text in the input, from 0.
    pub(crate) index: usize,
    /// `null` for a text without an id.
    pub(crate) id: Value,
    pub(crate) reason: String,
}
