//! Typed access to the keys of a JSON object, with errors that name them.

use std::fmt;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

pub(super) struct Keys<'a> {
    file: &'a str,
    map: Map<String, Value>,
}

impl<'a> Keys<'a> {
    pub(super) fn parse(file: &'a str, json: &[u8]) -> Result<Self> {
        let map =
            serde_json::from_slice(json).map_err(|source| Error::config_syntax(file, source))?;
        Ok(Self { file, map })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn error(
        &self,
        key: &'static str,
        expected: &str,
        found: impl fmt::Display,
    ) -> Error {
        Error::config_value(self.file, key, expected, found)
    }

    // Python writes unset values as null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.get(key)
            .map(|value| read(value).ok_or_else(|| self.error(key, expected, shorten(value))))
            .transpose()
    }

    pub(super) fn string(&self, key: &'static str) -> Result<Option<String>> {
        self.typed(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn boolean(&self, key: &'static str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn strings(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        self.typed(key, "a list of strings", |value| {
            let items = value.as_array()?;
            items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
    }

    pub(super) fn id(&self, key: &'static str) -> Result<Option<u32>> {
        self.typed(key, "a token id (0 to 4294967295)", |value| {
            value.as_u64()?.try_into().ok()
        })
    }

    pub(super) fn count(&self, key: &'static str) -> Result<Option<usize>> {
        self.typed(key, "a whole number from 1 to 1000000", |value| {
            let count = value.as_u64().filter(|n| (1..=1_000_000).contains(n))?;
            usize::try_from(count).ok()
        })
    }
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
