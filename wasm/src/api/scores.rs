//! Products of rows that JavaScript holds. It refuses what is not finite.

use js_sys::{Array, Float32Array};
use multivec_core::score;
use multivec_core::{Embedding, Error, Result};
use multivec_kernels::{MaxSim, QueryFormat, Serial};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{JsResult, to_js};
use super::health;

/// Values of documents that are copied before they are scored: they are still in
/// a cache then.
const PART: usize = 1 << 17;

/// The scores of documents for a query, all `[rows, dim]`; `documents` are
/// `Float32Array`s. NaN where a product is not finite.
#[wasm_bindgen(js_name = maxSim)]
pub fn max_sim(query: Vec<f32>, documents: &Array, dim: usize) -> JsResult<Vec<f32>> {
    health::check()?;
    check("query", query.len(), dim).map_err(to_js)?;
    let query = MaxSim::new(&[&query], dim, QueryFormat::Floats);
    let count = documents.length() as usize;
    let mut documents = documents.iter();
    let mut scores = Vec::with_capacity(count);
    while scores.len() < count {
        let (mut part, mut values) = (Vec::new(), 0);
        while values < PART
            && let Some(document) = documents.next()
        {
            let document = document.unchecked_into::<Float32Array>().to_vec();
            check("document", document.len(), dim).map_err(to_js)?;
            values += document.len();
            part.push(document);
        }
        let rows: Vec<&[f32]> = part.iter().map(Vec::as_slice).collect();
        let first = scores.len();
        scores.resize(first + rows.len(), 0.);
        query.scores_of(&rows, &mut scores[first..], &Serial);
    }
    Ok(scores)
}

/// The products of all rows of a query and a document, `[query rows, document
/// rows]`.
#[wasm_bindgen]
pub fn similarity(query: Vec<f32>, document: Vec<f32>, dim: usize) -> JsResult<Vec<f32>> {
    health::check()?;
    let products = Embedding::from_rows(query, dim).and_then(|query| {
        let document = Embedding::from_rows(document, dim)?;
        score::similarity(&query, &document)
    });
    Ok(products.map_err(to_js)?.into_raw_vec_and_offset().0)
}

fn check(what: &str, values: usize, dim: usize) -> Result<()> {
    match values.checked_rem(dim) {
        Some(0) => Ok(()),
        left => {
            let what = format!("last row of the {what}");
            Err(Error::dimension_mismatch(what, dim, left.unwrap_or(values)))
        }
    }
}
