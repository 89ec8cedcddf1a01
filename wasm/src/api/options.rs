//! Options, choices and texts that JavaScript passes.
//!
//! serde reads them; a message names the option as JavaScript does, and says
//! what was expected and what was found.

use std::fmt;

use js_sys::{Array, Object};
use multivec_core::batch::BatchLimit;
use multivec_core::encoder::{Normalization, QueryExpansion};
use multivec_core::pool::Pooling;
use multivec_core::tokenize::TruncationPolicy;
use multivec_core::{EncodeOptions, Error, Result, TextKind};
use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde::de::{self, Deserializer, Visitor};
use serde_path_to_error::Segment;
use serde_wasm_bindgen::Deserializer as FromJs;
use wasm_bindgen::{JsCast, JsValue};

use super::error::{JsResult, new, to_js};
use super::file::PartedFile;
use super::listing::Listing;
use super::wanted::{ChosenWeights, Wanted};

/// `EncodeOptions` as JavaScript spells them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Encode {
    #[serde(deserialize_with = "given")]
    query_length: Option<Count>,
    #[serde(deserialize_with = "given")]
    document_length: Option<Count>,
    #[serde(with = "QueryExpansionName")]
    query_expansion: QueryExpansion,
    #[serde(with = "TruncationName")]
    truncation: TruncationPolicy,
    #[serde(with = "NormalizationName")]
    normalization: Normalization,
    #[serde(deserialize_with = "given")]
    pool_factor: Option<Count>,
    #[serde(deserialize_with = "given")]
    protected_tokens: Option<Count>,
    #[serde(deserialize_with = "given")]
    dimensions: Option<Count>,
    #[serde(deserialize_with = "given")]
    prompt: Option<String>,
    #[serde(deserialize_with = "given")]
    batch_size: Option<Count>,
    #[serde(deserialize_with = "given")]
    token_budget: Option<Count>,
}

#[derive(Deserialize)]
#[serde(remote = "QueryExpansion", rename_all = "lowercase")]
#[serde(expecting = "`model`, `on` or `off`")]
enum QueryExpansionName {
    Model,
    On,
    Off,
}

#[derive(Deserialize)]
#[serde(remote = "TruncationPolicy", rename_all = "lowercase")]
#[serde(expecting = "`truncate` or `error`")]
enum TruncationName {
    Truncate,
    Error,
}

#[derive(Deserialize)]
#[serde(remote = "Normalization", rename_all = "lowercase")]
#[serde(expecting = "`model`, `l2` or `off`")]
enum NormalizationName {
    Model,
    L2,
    Off,
}

/// Options of pooling alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pool {
    pool_factor: Count,
    #[serde(default, deserialize_with = "given")]
    protected_tokens: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", expecting = "`query` or `document`")]
enum Kind {
    Query,
    Document,
}

/// What a call takes.
#[derive(Clone, Copy)]
pub(super) enum Input {
    Texts(TextKind),
    Pairs,
}

/// Reads `EncodeOptions`; absent keys have the core's defaults.
pub(super) fn encode_options(value: &JsValue) -> JsResult<EncodeOptions> {
    let given: Encode = fields("options", value)?;
    let mut options = EncodeOptions::default();
    options.query_length = given.query_length.map(usize::from);
    options.document_length = given.document_length.map(usize::from);
    options.query_expansion = given.query_expansion;
    options.truncation = given.truncation;
    options.normalization = given.normalization;
    let pooling = pooling(given.pool_factor, given.protected_tokens)?;
    options.dimensions = given.dimensions.map(usize::from);
    options.prompt = given.prompt;
    options.pooling = (pooling.factor != 1).then_some(pooling);
    match (given.batch_size, given.token_budget) {
        (Some(_), Some(_)) => {
            let error = Error::option("batch_size", "no `tokenBudget` beside it", "both");
            return Err(to_js(error));
        }
        (Some(texts), None) => {
            options.batch_limit = BatchLimit::Texts(positive("batch_size", texts)?);
        }
        (None, Some(tokens)) => {
            options.batch_limit = BatchLimit::Tokens(positive("token_budget", tokens)?);
        }
        (None, None) => {}
    }
    Ok(options)
}

/// Reads how far to pool.
pub(super) fn pool_options(value: &JsValue) -> JsResult<Pooling> {
    let given: Pool = fields("options", value)?;
    pooling(Some(given.pool_factor), given.protected_tokens)
}

fn pooling(factor: Option<Count>, protected_tokens: Option<Count>) -> JsResult<Pooling> {
    let factor = factor.map(|factor| positive("pool_factor", factor));
    let mut pooling = Pooling::by(factor.transpose()?.unwrap_or(1));
    if let Some(protected) = protected_tokens {
        pooling.protected_tokens = protected.into();
    }
    Ok(pooling)
}

/// Refuses 0 by the option's name, which the core does not know.
fn positive(option: &'static str, count: Count) -> JsResult<usize> {
    match usize::from(count) {
        0 => Err(to_js(Error::option(option, "1 or more", 0))),
        count => Ok(count),
    }
}

/// Reads the side of retrieval, or that texts are pairs, which the package
/// alone says.
pub(super) fn input(value: JsValue) -> JsResult<Input> {
    if value.as_string().as_deref() == Some("pair") {
        return Ok(Input::Pairs);
    }
    text_kind(value).map(Input::Texts)
}

/// Reads the side of retrieval.
pub(super) fn text_kind(value: JsValue) -> JsResult<TextKind> {
    Ok(match read("kind", FromJs::from(value))? {
        Kind::Query => TextKind::Query,
        Kind::Document => TextKind::Document,
    })
}

/// Reads what is asked for of a model.
pub(super) fn wanted(value: JsValue) -> JsResult<Wanted> {
    read("wanted", FromJs::from(value))
}

/// Reads which weights to load.
pub(super) fn chosen_weights(value: JsValue) -> JsResult<ChosenWeights> {
    read("weights", FromJs::from(value))
}

/// Reads the files of a model.
pub(super) fn listing(value: JsValue) -> JsResult<Listing> {
    read("files", FromJs::from(value))
}

/// Reads a file that is read in parts.
pub(super) fn parted_file(value: JsValue) -> JsResult<PartedFile> {
    read("graph", FromJs::from(value))
}

/// Reads files that are read in parts.
pub(super) fn parted_files(value: JsValue) -> JsResult<Vec<PartedFile>> {
    read("files", FromJs::from(value))
}

/// The strings of an array, which come after `before` others.
pub(super) fn texts(value: &JsValue, before: usize) -> Result<Vec<String>> {
    // Strings are iterables too, so that serde would take their characters.
    if !Array::is_array(value) {
        return Err(Error::option("texts", "an array of strings", show(value)));
    }
    Array::from(value)
        .iter()
        .enumerate()
        .map(|(index, text)| {
            text.as_string().ok_or_else(|| {
                let found = format!("{} at {}", show(&text), before + index);
                Error::option("texts", "an array of strings", found)
            })
        })
        .collect()
}

/// Reads an object; keys that are `undefined` are absent.
fn fields<T: de::DeserializeOwned>(name: &str, value: &JsValue) -> JsResult<T> {
    if !value.is_object() {
        return Err(to_js(Error::option("options", "an object", show(value))));
    }
    let entries = Object::entries(value.unchecked_ref())
        .into_iter()
        .map(|entry| entry.unchecked_into::<Array>())
        .map(|entry| (entry.get(0).as_string().unwrap_or_default(), entry.get(1)))
        .filter(|(_, value)| !value.is_undefined())
        .map(|(key, value)| (key, FromJs::from(value)));
    // Given the object itself, serde would not see the keys that it does not know.
    read(name, MapDeserializer::new(entries))
}

/// Reads what JavaScript calls `name`.
fn read<'de, T, D>(name: &str, source: D) -> JsResult<T>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_wasm_bindgen::Error>,
{
    serde_path_to_error::deserialize(source).map_err(|error| {
        let option = match error.path().iter().next() {
            Some(Segment::Map { key }) => key.clone(),
            _ => name.to_owned(),
        };
        let error = JsValue::from(error.into_inner());
        let message = error
            .dyn_ref::<js_sys::Error>()
            .map_or_else(|| show(&error), |error| error.message().into());
        let message = format!("option `{option}`: {}", worded(&message));
        new("invalid_option", &message)
    })
}

/// serde's message in the order of all others, and in JavaScript's terms.
fn worded(message: &str) -> String {
    let Some((found, expected)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    let found = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .find_map(|start| found.strip_prefix(start))
        .unwrap_or(found)
        .replace("floating point", "number")
        .replace("unit value", "null");
    format!("expected {expected}, found {found}")
}

/// A whole number of at most 32 bits.
#[derive(Clone, Copy)]
struct Count(u32);

impl From<Count> for usize {
    fn from(count: Count) -> Self {
        count.0 as Self
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
                let too_large = |_| E::invalid_value(de::Unexpected::Unsigned(value), &self);
                u32::try_from(value).map(Count).map_err(too_large)
            }
        }

        source.deserialize_u32(Whole)
    }
}

/// What is there has to be valid: `null` is no way to leave an option out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(source: D) -> Result<Option<T>, D::Error> {
    T::deserialize(source).map(Some)
}

fn show(value: &JsValue) -> String {
    match (value.as_string(), value.as_f64()) {
        (Some(text), _) => format!("`{text}`"),
        (_, Some(number)) => number.to_string(),
        _ if value.is_null() => "null".to_owned(),
        _ => value.js_typeof().as_string().unwrap_or_default(),
    }
}
