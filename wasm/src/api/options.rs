//! Options of encoding, from a JavaScript object.

use js_sys::{Object, Reflect};
use multivec_core::batch::BatchLimit;
use multivec_core::encoder::{Normalization, QueryExpansion};
use multivec_core::pool::Pooling;
use multivec_core::tokenize::TruncationPolicy;
use multivec_core::{EncodeOptions, Error, Precision, Result, TextKind};
use wasm_bindgen::{JsCast, JsValue};

const KEYS: &str = "queryLength, documentLength, queryExpansion, truncation, normalization, \
                    poolFactor, protectedTokens, batchSize, tokenBudget";

/// Reads `EncodeOptions`; absent keys have the core's defaults.
pub(super) fn encode_options(value: &JsValue) -> Result<EncodeOptions> {
    let mut options = EncodeOptions::default();
    let mut pooling = Pooling::by(1);
    let mut limits = 0;
    for (key, value) in entries(value)? {
        match key.as_str() {
            "queryLength" => options.query_length = Some(count("query_length", &value)?),
            "documentLength" => options.document_length = Some(count("document_length", &value)?),
            "queryExpansion" => {
                options.query_expansion = choice(
                    "query_expansion",
                    &value,
                    &[
                        ("model", QueryExpansion::Model),
                        ("on", QueryExpansion::On),
                        ("off", QueryExpansion::Off),
                    ],
                )?;
            }
            "truncation" => {
                options.truncation = choice(
                    "truncation",
                    &value,
                    &[
                        ("truncate", TruncationPolicy::Truncate),
                        ("error", TruncationPolicy::Error),
                    ],
                )?;
            }
            "normalization" => {
                options.normalization = choice(
                    "normalization",
                    &value,
                    &[("l2", Normalization::L2), ("off", Normalization::Off)],
                )?;
            }
            "poolFactor" => pooling.factor = count("pool_factor", &value)?,
            "protectedTokens" => pooling.protected_tokens = count("protected_tokens", &value)?,
            "batchSize" => {
                options.batch_limit = BatchLimit::Texts(count("batch_size", &value)?);
                limits += 1;
            }
            "tokenBudget" => {
                options.batch_limit = BatchLimit::Tokens(count("token_budget", &value)?);
                limits += 1;
            }
            _ => return Err(Error::option("options", format!("keys {KEYS}"), key)),
        }
    }
    if limits > 1 {
        return Err(Error::option(
            "batch_size",
            "no `tokenBudget` beside it",
            "both",
        ));
    }
    options.pooling = (pooling.factor != 1).then_some(pooling);
    Ok(options)
}

/// Reads the side of retrieval.
pub(super) fn text_kind(value: &JsValue) -> Result<TextKind> {
    let kinds = [("query", TextKind::Query), ("document", TextKind::Document)];
    choice("kind", value, &kinds)
}

/// Reads the precision of a model file.
pub(super) fn precision(value: &JsValue) -> Result<Precision> {
    let precisions = [("fp32", Precision::Fp32), ("int8", Precision::Int8)];
    choice("precision", value, &precisions)
}

/// A string property of an object.
pub(super) fn string(object: &JsValue, key: &'static str) -> Result<String> {
    let value = Reflect::get(object, &key.into()).unwrap_or_default();
    value
        .as_string()
        .ok_or_else(|| Error::option(key, "a string", show(&value)))
}

/// The strings of an array.
pub(super) fn texts(value: &JsValue) -> Result<Vec<String>> {
    if !js_sys::Array::is_array(value) {
        return Err(Error::option("texts", "an array of strings", show(value)));
    }
    js_sys::Array::from(value)
        .iter()
        .enumerate()
        .map(|(index, text)| {
            text.as_string().ok_or_else(|| {
                let found = format!("{} at {index}", show(&text));
                Error::option("texts", "an array of strings", found)
            })
        })
        .collect()
}

/// The keys and values of an object, but those that are `undefined`.
fn entries(value: &JsValue) -> Result<Vec<(String, JsValue)>> {
    if value.is_undefined() {
        return Ok(Vec::new());
    }
    if !value.is_object() {
        return Err(Error::option("options", "an object", show(value)));
    }
    Ok(Object::keys(value.unchecked_ref::<Object>())
        .iter()
        .map(|key| {
            let found = Reflect::get(value, &key).unwrap_or_default();
            (key.as_string().unwrap_or_default(), found)
        })
        .filter(|(_, value)| !value.is_undefined())
        .collect())
}

fn count(option: &'static str, value: &JsValue) -> Result<usize> {
    match value.as_f64() {
        Some(number) if number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX) => {
            Ok(number as usize)
        }
        _ => Err(Error::option(option, "a whole number", show(value))),
    }
}

fn choice<T: Copy>(option: &'static str, value: &JsValue, known: &[(&str, T)]) -> Result<T> {
    let found = value.as_string();
    known
        .iter()
        .find(|(name, _)| Some(*name) == found.as_deref())
        .map(|&(_, choice)| choice)
        .ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            Error::option(option, names.join(" or "), show(value))
        })
}

fn show(value: &JsValue) -> String {
    match (value.as_string(), value.as_f64()) {
        (Some(text), _) => format!("`{text}`"),
        (_, Some(number)) => number.to_string(),
        _ if value.is_null() => "null".to_owned(),
        _ => value.js_typeof().as_string().unwrap_or_default(),
    }
}
