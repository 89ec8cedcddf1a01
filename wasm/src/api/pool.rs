//! Pooling of embeddings that JavaScript holds.

use js_sys::Float32Array;
use multivec_core::{Embedding, Result};
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
        let pooled = tagged(data, dim).and_then(|tagged| tagged.pooled(pooling));
        object(&untagged(&pooled.map_err(to_js)?, dim))
    }
}

/// The rows, each followed by a column of its own, 1 there and 0 in all other
/// rows: products of two rows stay what they are, and a mean shows whose it is.
fn tagged(data: Vec<f32>, dim: usize) -> Result<Embedding> {
    let untagged = Embedding::from_rows(data, dim)?;
    let rows = untagged.tokens();
    let mut values = vec![0.0; rows * (dim + rows)];
    for (row, tagged) in values.chunks_exact_mut((dim + rows).max(1)).enumerate() {
        tagged[..dim].copy_from_slice(&untagged.as_slice()[row * dim..][..dim]);
        tagged[dim + row] = 1.0;
    }
    Embedding::from_rows(values, dim + rows)
}

fn untagged(pooled: &Embedding, dim: usize) -> Pooled {
    let data = Float32Array::new_with_length((pooled.tokens() * dim) as u32);
    let mut offsets = vec![0];
    let mut members = Vec::new();
    let mut filled = 0;
    for row in pooled.as_slice().chunks_exact(pooled.dim().max(1)) {
        let (values, tags) = row.split_at(dim);
        let end = filled + dim as u32;
        data.subarray(filled, end).copy_from(values);
        filled = end;
        members.extend(
            (0..)
                .zip(tags)
                .filter_map(|(row, &tag)| (tag != 0.0).then_some(row)),
        );
        offsets.push(members.len() as u32);
    }
    Pooled {
        data,
        offsets,
        members,
    }
}
