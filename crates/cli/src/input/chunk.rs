//! What is read of an input at once.

use arrow_array::RecordBatch;
use multivec::Error;
use serde_json::Value;

use super::skipped::Skipped;

/// Texts per chunk: enough that batches find texts of similar length.
pub(super) const CHUNK: usize = 1024;

/// Bytes after which a chunk ends, so that long texts do not fill memory.
pub(super) const CHUNK_BYTES: u64 = 1 << 20;

/// A text and its id, if the line has one.
#[derive(Debug, PartialEq)]
pub(crate) struct InputText {
    pub(crate) text: String,
    pub(crate) id: Option<Value>,
    /// The number of its file, from 0.
    pub(super) file: usize,
    /// Position in the input, from 0.
    pub(crate) index: usize,
    /// Line number, from 1; of a table the row.
    pub(crate) line: usize,
}

impl InputText {
    /// This text as one that could not be encoded.
    pub(super) fn skipped(&self, error: &Error) -> Skipped {
        Skipped {
            file: None,
            line: self.line,
            index: self.index,
            id: self.id.clone().unwrap_or(Value::Null),
            reason: error.to_string(),
        }
    }
}

/// A row of a table whose text is null.
#[derive(Debug, PartialEq)]
pub(crate) struct NullText {
    pub(crate) id: Option<Value>,
    pub(crate) index: usize,
    /// The row, from 1.
    pub(crate) line: usize,
}

/// The name of a text in outputs: its id, or its position in the input.
pub(crate) fn text_name(index: usize, id: &Value) -> String {
    match id {
        Value::Null => index.to_string(),
        Value::String(id) => id.clone(),
        other => other.to_string(),
    }
}

/// Consecutive texts of a file. Only at the input's end there are none of any
/// kind.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) texts: Vec<InputText>,
    pub(crate) nulls: Vec<NullText>,
    pub(crate) skipped: Vec<Skipped>,
    /// Of tables.
    pub(crate) kept: Option<Kept>,
}

impl Chunk {
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.nulls.is_empty() && self.skipped.is_empty()
    }
}

/// The ids and the columns that are kept, of consecutive rows.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) rows: RecordBatch,
    /// The position in the input of the first of them.
    pub(crate) first: usize,
}
