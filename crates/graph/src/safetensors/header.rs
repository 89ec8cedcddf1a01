//! The header of a file: its length, and JSON that names the tensors.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::wrong_file::describe_wrong_file;

/// Bytes before the header.
pub(super) const PREFIX: u64 = 8;
/// Bytes of the largest header, as the format has it.
const LIMIT: u64 = 100_000_000;
/// What a file is refused for not being.
const FORMAT: &str = "a safetensors file";
/// The key for what is not a tensor.
const METADATA: &str = "__metadata__";

/// A tensor as a header has it.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    /// The first byte and the one after the last, counted from the header's end.
    pub(super) data_offsets: [u64; 2],
}

/// Bytes of the header that follows the first 8 bytes of a file.
///
/// `start` is the beginning of the file: 8 bytes are needed, and
/// [`FILE_START`](crate::FILE_START) tell what else it may be. `file` names it
/// in errors.
///
/// # Errors
/// [`Error::InvalidFile`] if it is no safetensors file, or shorter than its
/// header.
pub fn header_length(file: &str, start: &[u8], file_length: u64) -> Result<u64> {
    if let Some(found) = describe_wrong_file(start) {
        return Err(Error::file(file, FORMAT, found));
    }
    let Some(length) = start.first_chunk().copied().map(u64::from_le_bytes) else {
        let found = format!("{} bytes", start.len());
        return Err(Error::file(file, FORMAT, found));
    };
    // Headers are objects, which tells other files from truncated ones.
    if length > LIMIT || start.get(8).is_some_and(|&first| first != b'{') {
        return Err(Error::file(file, FORMAT, "another format"));
    }
    let end = PREFIX + length;
    if end > file_length {
        let expected = format!("a header up to byte {end}");
        let found = format!("a truncated file of {file_length} bytes");
        return Err(Error::file(file, expected, found));
    }
    Ok(length)
}

/// The tensors that a header names.
pub(super) fn parse(file: &str, header: &[u8]) -> Result<BTreeMap<String, Entry>> {
    let invalid = |found: serde_json::Error| Error::file(file, "a safetensors header", found);
    let mut values: BTreeMap<String, Value> = serde_json::from_slice(header).map_err(invalid)?;
    values.remove(METADATA);
    let entries = values.into_iter().map(|(name, value)| {
        let entry = Entry::deserialize(value).map_err(|found| {
            let expected = format!("the type, shape and place of the tensor `{name}`");
            Error::file(file, expected, found)
        })?;
        Ok((name, entry))
    });
    entries.collect()
}
