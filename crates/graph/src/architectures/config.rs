//! Values of `config.json`.

use serde_json::{Map, Value};

use crate::blocks::Activation;
use crate::error::{Error, Result};

/// A configuration. Keys that are `null` count as absent.
pub(super) struct Config<'a> {
    file: &'a str,
    /// The key of a section, with a dot.
    path: String,
    values: Map<String, Value>,
}

impl<'a> Config<'a> {
    /// The largest size that a model may state, and the most layers: far beyond
    /// any that exist.
    pub(super) const LARGEST: usize = 1 << 22;
    const MOST_LAYERS: usize = 1 << 10;

    pub(super) fn parse(file: &'a str, json: &[u8]) -> Result<Self> {
        let values = serde_json::from_slice(json)
            .map_err(|found| Error::file(file, "an object of JSON", found))?;
        Ok(Self {
            file,
            path: String::new(),
            values,
        })
    }

    /// The part of the configuration under a key, if there is one.
    pub(super) fn section(&self, key: &str) -> Result<Option<Config<'a>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Config {
                file: self.file,
                path: format!("{}{key}.", self.path),
                values: values.clone(),
            })),
            Some(other) => Err(self.refuse(key, "an object", other)),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, with or without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// An error about the value of a key.
    pub(super) fn refuse(
        &self,
        key: &str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Error {
        let key = format!("{}{key}", self.path);
        Error::mismatch(self.file, key, expected, found)
    }

    /// A size of at least 1.
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.optional_size(key)?.unwrap_or(default))
    }

    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        match size.filter(|size| (1..=Self::LARGEST).contains(size)) {
            Some(size) => Ok(Some(size)),
            None => {
                let expected = format!("a size from 1 to {}", Self::LARGEST);
                Err(self.refuse(key, expected, value))
            }
        }
    }

    /// A number of layers.
    pub(super) fn layers(&self, key: &str, default: usize) -> Result<usize> {
        let layers = self.size(key, default)?;
        if layers > Self::MOST_LAYERS {
            let expected = format!("at most {}", Self::MOST_LAYERS);
            return Err(self.refuse(key, expected, layers));
        }
        Ok(layers)
    }

    /// A number from 0 on.
    pub(super) fn index(&self, key: &str, default: i64) -> Result<i64> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let index = value.as_i64().filter(|&index| index >= 0);
        index.ok_or_else(|| self.refuse(key, "an integer from 0 on", value))
    }

    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = value.as_f64().filter(|number| number.is_finite());
        number.ok_or_else(|| self.refuse(key, "a number", value))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.refuse(key, "a string", other)),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.refuse(key, "true or false", other)),
        }
    }

    /// Whether a flag is there, and true.
    pub(super) fn is_set(&self, key: &str) -> Result<bool> {
        Ok(self.flag(key)?.unwrap_or(false))
    }

    /// Refuses a flag that is true.
    pub(super) fn forbid(&self, keys: &[&str]) -> Result<()> {
        for key in keys {
            if self.is_set(key)? {
                return Err(self.refuse(key, "false", "true"));
            }
        }
        Ok(())
    }

    /// Refuses another value than `only`, if there is one.
    pub(super) fn only(&self, key: &str, only: &str) -> Result<()> {
        match self.text(key)? {
            Some(found) if found != only => {
                Err(self.refuse(key, format!("`{only}`"), format!("`{found}`")))
            }
            _ => Ok(()),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let texts = value
            .as_array()
            .and_then(|list| list.iter().map(Value::as_str).collect());
        match texts {
            Some(texts) => Ok(Some(texts)),
            None => Err(self.refuse(key, "a list of strings", value)),
        }
    }

    /// An activation function.
    pub(super) fn activation(&self, key: &str, default: Activation) -> Result<Activation> {
        let Some(name) = self.text(key)? else {
            return Ok(default);
        };
        Activation::named(name)
            .ok_or_else(|| self.refuse(key, Activation::NAMES, format!("`{name}`")))
    }
}
