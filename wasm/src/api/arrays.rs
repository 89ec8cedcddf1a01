//! Results as JavaScript gets them: plain objects, whose long lists are typed
//! arrays, each copied once.

use std::collections::HashSet;
use std::ops::Range;

use js_sys::{Float32Array, Uint8Array, Uint32Array};
use multivec_core::tokenize::{TokenRole, Truncation};
use serde::{Serialize, Serializer};
use serde_wasm_bindgen::preserve;
use wasm_bindgen::JsValue;

use super::error::JsResult;

/// A plain object with the fields of `value`; `null` for what is absent.
pub(super) fn object(value: &impl Serialize) -> JsResult<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_missing_as_null(true)
        // Flattened structs are maps to serde.
        .serialize_maps_as_objects(true);
    Ok(value.serialize(&serializer)?)
}

/// Serializes as a `Uint32Array`.
pub(super) fn integers<S: Serializer>(values: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    preserve::serialize(&Uint32Array::from(values), serializer)
}

/// Serializes as a `Float32Array`.
pub(super) fn floats<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    preserve::serialize(&Float32Array::from(values), serializer)
}

/// Serializes as a `Uint8Array`.
pub(super) fn bytes<S: Serializer>(values: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    preserve::serialize(&Uint8Array::from(values), serializer)
}

/// Ids, roles and spans of tokens, one entry a token, and how each id is
/// spelled.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenColumns {
    #[serde(serialize_with = "integers")]
    pub(super) ids: Vec<u32>,
    #[serde(serialize_with = "bytes")]
    roles: Vec<u8>,
    /// Start and end of each token, in UTF-16 code units; 0, 0 for none.
    #[serde(serialize_with = "integers")]
    spans: Vec<u32>,
    /// Every id once, and its spelling in the vocabulary.
    #[serde(serialize_with = "integers")]
    spelled_ids: Vec<u32>,
    spellings: Vec<String>,
    #[serde(skip)]
    spelled: HashSet<u32>,
}

impl TokenColumns {
    /// `span` is in UTF-16 code units; `spelling` is called for new ids alone.
    pub(super) fn push(
        &mut self,
        id: u32,
        role: TokenRole,
        span: Option<Range<u32>>,
        spelling: impl FnOnce() -> String,
    ) {
        self.ids.push(id);
        self.roles.push(role.number());
        let span = span.unwrap_or_default();
        self.spans.extend([span.start, span.end]);
        if self.spelled.insert(id) {
            self.spelled_ids.push(id);
            self.spellings.push(spelling());
        }
    }
}

/// Tokens kept and dropped of each text.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Truncations {
    #[serde(serialize_with = "integers")]
    kept_tokens: Vec<u32>,
    #[serde(serialize_with = "integers")]
    dropped_tokens: Vec<u32>,
}

impl Truncations {
    pub(super) fn push(&mut self, truncation: Truncation) {
        self.kept_tokens.push(truncation.kept_tokens as u32);
        self.dropped_tokens.push(truncation.dropped_tokens as u32);
    }
}
