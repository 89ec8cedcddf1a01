//! Typed access to the keys of a JSON object, with errors that name them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use multivec_graph::describe_wrong_file;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

pub(crate) struct Keys {
    file: String,
    map: Map<String, Value>,
    /// Keys that were asked for.
    read: RefCell<BTreeSet<String>>,
}

impl Keys {
    pub(crate) fn parse(file: &str, json: &[u8]) -> Result<Self> {
        let map = serde_json::from_slice(json);
        Ok(Self::of(
            file,
            map.map_err(|source| syntax(file, json, source))?,
        ))
    }

    /// An object inside of a file.
    pub(crate) fn of(file: &str, map: Map<String, Value>) -> Self {
        Self {
            file: file.to_owned(),
            map,
            read: RefCell::default(),
        }
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter()
    }

    /// Keys that nobody asked for.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let set = self.map.iter().filter(|(_, value)| !value.is_null());
        let keys = set.map(|(key, _)| key);
        keys.filter(|key| !read.contains(*key)).cloned().collect()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn error(
        &self,
        key: &'static str,
        expected: &str,
        found: impl fmt::Display,
    ) -> Error {
        Error::config_value(&self.file, key, expected, found)
    }

    // Python writes unset values as null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.get(key)
            .map(|value| read(value).ok_or_else(|| self.error(key, expected, shorten(value))))
            .transpose()
    }

    pub(crate) fn string(&self, key: &'static str) -> Result<Option<String>> {
        self.typed(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(crate) fn strings(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        self.typed(key, "a list of strings", |value| {
            let items = value.as_array()?;
            items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
    }

    pub(crate) fn id(&self, key: &'static str) -> Result<Option<u32>> {
        self.typed(key, "a token id (0 to 4294967295)", |value| {
            value.as_u64()?.try_into().ok()
        })
    }

    pub(crate) fn object(&self, key: &'static str) -> Result<Option<Self>> {
        self.typed(key, "an object", |value| {
            let file = format!("{}: `{key}`", self.file);
            Some(Self::of(&file, value.as_object()?.clone()))
        })
    }

    pub(crate) fn ids(&self, key: &'static str) -> Result<Option<Vec<u32>>> {
        self.typed(key, "a list of token ids", |value| {
            let id = |item: &Value| item.as_u64()?.try_into().ok();
            value.as_array()?.iter().map(id).collect()
        })
    }

    pub(crate) fn count(&self, key: &'static str) -> Result<Option<usize>> {
        self.typed(key, "a whole number from 1 to 1000000", |value| {
            let count = value.as_u64().filter(|n| (1..=1_000_000).contains(n))?;
            usize::try_from(count).ok()
        })
    }
}

/// The error of a file that cannot be parsed, which names other things that are
/// often in its place.
pub(crate) fn syntax(file: &str, json: &[u8], source: serde_json::Error) -> Error {
    match describe_wrong_file(json) {
        Some(found) => Error::config_syntax(file, format!("found {found}")),
        None => Error::config_syntax(file, source),
    }
}

/// A value as it is written, at most 60 characters of it.
pub(crate) fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
