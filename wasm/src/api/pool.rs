//! Pooling of embeddings that JavaScript holds.

use js_sys::Float32Array;
use multivec_core::Embedding;
use serde::Serialize;
use serde_wasm_bindgen::preserve;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{integers, object};
use super::encoder::WasmEncoder;
use super::error::{JsResult, to_js};
use super::{health, options};

/// Pooled rows, and the rows that each is the mean of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pooled {
    #[serde(with = "preserve")]
    data: Float32Array,
    /// Where the members of each row start in `members`; one more than rows.
    #[serde(serialize_with = "integers")]
    offsets: Vec<u32>,
    #[serde(serialize_with = "integers")]
    members: Vec<u32>,
}

#[wasm_bindgen]
impl WasmEncoder {
    /// Pools an embedding, `[rows, dim]`, by hierarchical clustering.
    pub fn pool(&self, data: Vec<f32>, dim: usize, options: JsValue) -> JsResult<JsValue> {
        health::check()?;
        let pooling = options::pool_options(&options)?;
        let pooled = Embedding::from_rows(data, dim)
            .and_then(|embedding| embedding.pooled_with_members(pooling));
        let (pooled, members) = pooled.map_err(to_js)?;
        object(&Pooled::new(&pooled, &members))
    }
}

impl Pooled {
    fn new(pooled: &Embedding, members: &[Vec<usize>]) -> Self {
        let mut offsets = vec![0];
        offsets.extend(members.iter().scan(0, |end, rows| {
            *end += rows.len() as u32;
            Some(*end)
        }));
        Self {
            data: Float32Array::from(pooled.as_slice()),
            offsets,
            members: members.iter().flatten().map(|&row| row as u32).collect(),
        }
    }
}
