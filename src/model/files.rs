//! Reading from a folder, with a note of what was used.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Map;

use super::description::Unused;
use super::folder::ModelFolder;
use crate::config::Keys;
use crate::error::{Error, Result};

pub(super) struct Files<'a> {
    folder: &'a ModelFolder,
    used: RefCell<BTreeSet<String>>,
    unused: RefCell<Vec<Unused>>,
}

impl<'a> Files<'a> {
    pub(super) fn of(folder: &'a ModelFolder) -> Self {
        Self {
            folder,
            used: RefCell::default(),
            unused: RefCell::default(),
        }
    }

    pub(super) fn location(&self) -> &str {
        self.folder.location()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.folder.has(path)
    }

    pub(super) fn has_graph(&self) -> bool {
        self.folder.paths().any(|path| path.ends_with(".onnx"))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.folder.paths()
    }

    /// A file's name in messages.
    pub(super) fn name(&self, path: &str) -> String {
        self.folder.name(path)
    }

    /// The JSON object in a file; `None` without such a file.
    pub(super) fn keys(&self, path: &str) -> Result<Option<Keys>> {
        let content = self.content(path)?;
        content
            .map(|json| Keys::parse(&self.name(path), json))
            .transpose()
    }

    /// The JSON object in a file; an empty one without such a file.
    pub(super) fn keys_or_none(&self, path: &str) -> Result<Keys> {
        let keys = self.keys(path)?;
        Ok(keys.unwrap_or_else(|| Keys::of(&self.name(path), Map::new())))
    }

    /// The JSON object in a file that has to be there.
    pub(super) fn require(&self, path: &str, what: &'static str) -> Result<Keys> {
        self.keys(path)?
            .ok_or_else(|| Error::missing_file(self.location(), what, path))
    }

    pub(super) fn content(&self, path: &str) -> Result<Option<&'a [u8]>> {
        if !self.has(path) {
            return Ok(None);
        }
        self.use_file(path);
        match self.folder.content(path) {
            Some(content) => Ok(Some(content)),
            None => Err(Error::missing_file(
                self.location(),
                "the content of a file",
                path,
            )),
        }
    }

    pub(super) fn use_file(&self, path: &str) {
        self.used.borrow_mut().insert(path.to_owned());
    }

    /// Notes that a file has no effect.
    pub(super) fn leave_file(&self, path: &str, reason: &'static str) {
        self.used.borrow_mut().insert(path.to_owned());
        self.leave(path, None, reason);
    }

    /// Notes that a key has no effect.
    pub(super) fn leave_key(&self, path: &str, key: &str, reason: &'static str) {
        self.leave(path, Some(key.to_owned()), reason);
    }

    /// Notes the keys that nobody asked for, except for those of `known`.
    pub(super) fn leave_unread(&self, path: &str, keys: &Keys, known: &[&str]) {
        for key in keys.unread() {
            if !known.contains(&&*key) {
                self.leave(path, Some(key), "no vector depends on it");
            }
        }
    }

    fn leave(&self, path: &str, key: Option<String>, reason: &'static str) {
        self.unused.borrow_mut().push(Unused {
            file: path.to_owned(),
            key,
            reason,
        });
    }

    /// What was found and not used.
    pub(super) fn unused(&self) -> Vec<Unused> {
        let mut unused = self.unused.take();
        let used = self.used.borrow();
        let is_unused = |path: &&str| !used.contains(*path) && !path.starts_with('.');
        unused.extend(self.paths().filter(is_unused).map(|path| Unused {
            file: path.to_owned(),
            key: None,
            reason: "not a part of this format",
        }));
        unused
    }
}

/// The path of a file in a folder; the root is the empty path.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}
