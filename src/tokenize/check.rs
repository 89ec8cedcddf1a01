//! Refuses files on which the `tokenizers` crate panics. Version 0.23 has an
//! `expect` on the syntax of `decoder`, and one on the table of a `Precompiled`
//! normalizer.

use serde::Deserialize;
use serde_json::{Error, Value};
use tokenizers::normalizers::Precompiled;

#[derive(Deserialize)]
struct Parts {
    // Only its syntax matters.
    #[serde(default, rename = "decoder")]
    _decoder: Value,
    #[serde(default)]
    normalizer: Value,
}

/// Checks a `tokenizer.json` before it is parsed.
pub(super) fn check(json: &[u8]) -> Result<(), Error> {
    let parts: Parts = serde_json::from_slice(json)?;
    check_normalizer(&parts.normalizer)
}

fn check_normalizer(value: &Value) -> Result<(), Error> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_normalizer),
        Value::Object(map) => {
            if map.get("type").and_then(Value::as_str) == Some("Precompiled") {
                serde_json::from_str::<Precompiled>(&value.to_string())?;
            }
            map.values().try_for_each(check_normalizer)
        }
        _ => Ok(()),
    }
}
