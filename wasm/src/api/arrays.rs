//! Tokens in flat arrays, which cross into JavaScript in one copy each.

use std::ops::Range;

use js_sys::{Float32Array, Object, Reflect, Uint8Array, Uint32Array};
use multivec_core::tokenize::{TokenRole, Truncation};
use wasm_bindgen::JsValue;

use crate::utf16::Utf16Index;

/// A plain object with these properties.
pub(super) fn object<const N: usize>(entries: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (key, value) in entries {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&object, &key.into(), &value);
    }
    object.into()
}

pub(super) fn floats(values: &[f32]) -> JsValue {
    Float32Array::from(values).into()
}

pub(super) fn integers(values: &[u32]) -> JsValue {
    Uint32Array::from(values).into()
}

pub(super) fn bytes(values: &[u8]) -> JsValue {
    Uint8Array::from(values).into()
}

/// Ids, roles and spans of tokens, one entry a token.
#[derive(Default)]
pub(super) struct TokenColumns {
    pub(super) ids: Vec<u32>,
    pub(super) roles: Vec<u8>,
    /// Start and end of each token, in UTF-16 code units; 0, 0 for none.
    pub(super) spans: Vec<u32>,
}

impl TokenColumns {
    pub(super) fn push(
        &mut self,
        id: u32,
        role: TokenRole,
        span: Option<Range<usize>>,
        text: &Utf16Index,
    ) {
        self.ids.push(id);
        self.roles.push(match role {
            TokenRole::Special => 0,
            TokenRole::Prefix => 1,
            TokenRole::Text => 2,
            TokenRole::Expansion => 3,
        });
        let span = span.map(|bytes| text.range(bytes)).unwrap_or_default();
        self.spans.extend([span.start, span.end]);
    }
}

/// Tokens kept and dropped of each text.
#[derive(Default)]
pub(super) struct Truncations {
    pub(super) kept: Vec<u32>,
    pub(super) dropped: Vec<u32>,
}

impl Truncations {
    pub(super) fn push(&mut self, truncation: Truncation) {
        self.kept.push(truncation.kept_tokens as u32);
        self.dropped.push(truncation.dropped_tokens as u32);
    }
}
