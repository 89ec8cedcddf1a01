//! Scores and pooling of embeddings that JavaScript holds.

use js_sys::Int32Array;
use multivec_core::pool::Pooling;
use multivec_core::{Embedding, Error, Result, score};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{floats, integers, object};
use super::error::{JsResult, to_js};
use super::health;

/// The MaxSim score of a document for a query; both `[rows, dim]`.
#[wasm_bindgen(js_name = maxSim)]
pub fn max_sim(query: Vec<f32>, document: Vec<f32>, dim: usize) -> JsResult<f32> {
    health::check()?;
    pair(query, document, dim)
        .and_then(|(query, document)| score::max_sim(&query, &document))
        .map_err(to_js)
}

/// The document row that each query row matched, -1 for none, and its score.
#[wasm_bindgen]
pub fn matches(query: Vec<f32>, document: Vec<f32>, dim: usize) -> JsResult<JsValue> {
    health::check()?;
    let found = pair(query, document, dim)
        .and_then(|(query, document)| score::matches(&query, &document))
        .map_err(to_js)?;
    let rows: Vec<i32> = found
        .iter()
        .map(|found| found.row.map_or(-1, |row| row as i32))
        .collect();
    let scores: Vec<f32> = found.iter().map(|found| found.score).collect();
    Ok(object([
        ("rows", Int32Array::from(rows.as_slice()).into()),
        ("scores", floats(&scores)),
    ]))
}

/// Documents by descending MaxSim score. They come one after the other,
/// `rows` of each.
#[wasm_bindgen]
pub fn rank(query: Vec<f32>, dim: usize, documents: Vec<f32>, rows: Vec<u32>) -> JsResult<JsValue> {
    health::check()?;
    let ranking = Embedding::from_rows(query, dim)
        .and_then(|query| score::rank(&query, &split(&documents, dim, &rows)?))
        .map_err(to_js)?;
    let indices: Vec<u32> = ranking.iter().map(|found| found.index as u32).collect();
    let scores: Vec<f32> = ranking.iter().map(|found| found.score).collect();
    Ok(object([
        ("indices", integers(&indices)),
        ("scores", floats(&scores)),
    ]))
}

/// Pools a document, `[rows, dim]`, to about one row in `factor`.
#[wasm_bindgen]
pub fn pool(data: Vec<f32>, dim: usize, factor: usize, protected: usize) -> JsResult<Vec<f32>> {
    health::check()?;
    let pooling = Pooling {
        factor,
        protected_tokens: protected,
    };
    let checked = match factor {
        0 => Err(Error::option("pool_factor", "1 or more", 0)),
        _ => Embedding::from_rows(data, dim),
    };
    checked
        .map(|embedding| embedding.pooled(pooling).as_slice().to_vec())
        .map_err(to_js)
}

fn pair(query: Vec<f32>, document: Vec<f32>, dim: usize) -> Result<(Embedding, Embedding)> {
    let query = Embedding::from_rows(query, dim)?;
    Ok((query, Embedding::from_rows(document, dim)?))
}

fn split(documents: &[f32], dim: usize, rows: &[u32]) -> Result<Vec<Embedding>> {
    // In 64 bits, so that absurd counts cannot wrap around to the right sum.
    let expected: u64 = rows.iter().map(|&rows| u64::from(rows) * dim as u64).sum();
    if expected != documents.len() as u64 {
        let found = format!("{} values", documents.len());
        return Err(Error::option(
            "rows",
            format!("rows that add up to the documents, {expected} values"),
            found,
        ));
    }
    let mut rest = documents;
    rows.iter()
        .map(|&rows| {
            let (document, after) = rest.split_at(rows as usize * dim);
            rest = after;
            Embedding::from_rows(document.to_vec(), dim)
        })
        .collect()
}
