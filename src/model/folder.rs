//! The files that a description is read from.

use std::collections::{BTreeMap, BTreeSet};

/// A listing of a model's folder, with the content of its small files.
///
/// Paths are relative to the folder, with `/` between names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFolder {
    location: String,
    paths: BTreeSet<String>,
    contents: BTreeMap<String, Vec<u8>>,
}

impl ModelFolder {
    /// An empty folder; `location` is its path or address, for messages.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            ..Self::default()
        }
    }

    /// Lists a file without its content.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.paths.insert(path.into());
        self
    }

    /// Adds a file with its content.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        let path = path.into();
        self.paths.insert(path.clone());
        self.contents.insert(path, content.into());
        self
    }

    /// Whether a description may depend on the content of this file. All such
    /// files are small.
    pub fn reads(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(
            name,
            "onnx_config.json"
                | "config_sentence_transformers.json"
                | "modules.json"
                | "config.json"
                | "artifact.metadata"
                | "tokenizer_config.json"
                | "special_tokens_map.json"
                | "added_tokens.json"
                | "router_config.json"
                | "chat_template.jinja"
        ) || name.starts_with("sentence_") && name.ends_with("_config.json")
    }

    /// The path or address of the folder.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// A file's name in messages.
    pub fn name(&self, path: &str) -> String {
        match self.location.trim_end_matches('/') {
            "" => path.to_owned(),
            location => format!("{location}/{path}"),
        }
    }

    /// The paths of all files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn content(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path).map(Vec::as_slice)
    }
}
