//! The index of weights that are in several files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::{Error, Result};

/// The part of `model.safetensors.index.json` that is read.
#[derive(Deserialize)]
struct ShardIndex {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// The files that `model.safetensors.index.json` names, sorted; paths relative
/// to its folder. `file` is its name in errors.
///
/// # Errors
/// [`Error::InvalidFile`] if it is no such index, or names a file in another
/// folder.
pub fn shard_files(file: &str, index: &[u8]) -> Result<BTreeSet<String>> {
    let parsed: ShardIndex = serde_json::from_slice(index)
        .map_err(|found| Error::file(file, "the index of several safetensors files", found))?;
    let files: BTreeSet<String> = parsed.weight_map.into_values().collect();
    for name in &files {
        if name.is_empty() || name.contains(['/', '\\']) || name == ".." {
            let expected = "names of files beside it";
            return Err(Error::file(file, expected, format!("`{name}`")));
        }
    }
    if files.is_empty() {
        return Err(Error::file(file, "the files of weights", "none"));
    }
    Ok(files)
}
