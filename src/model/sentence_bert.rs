//! `sentence_bert_config.json`: how a transformer module takes its texts.

use super::files::{Files, join};
use crate::config::Keys;
use crate::error::Result;

/// Its names, as sentence-transformers looks for them.
const NAMES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The file's path and object; an empty object without such a file.
pub(super) fn read(files: &Files, folder: &str) -> Result<(String, Keys)> {
    let mut paths = NAMES.iter().map(|name| join(folder, name));
    let path = paths
        .find(|path| files.has(path))
        .unwrap_or_else(|| join(folder, NAMES[0]));
    let keys = files.keys_or_none(&path)?;
    Ok((path, keys))
}
