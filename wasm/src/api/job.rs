//! An encoding in progress.

use std::cell::RefCell;

use js_sys::Float32Array;
use multivec_core::{Embedding, EncodeJob, Error, Result};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, bytes, integers, object};
use super::error::{JsResult, to_js};
use super::health;
use crate::utf16::Utf16Index;

/// Texts to be encoded, batch by batch, so that JavaScript can report progress
/// or give up in between.
#[wasm_bindgen]
pub struct WasmJob {
    texts: Vec<String>,
    // A cell of our own: after a panic wasm-bindgen's would refuse every call
    // with a message about aliasing, before ours could say what happened.
    job: RefCell<Option<EncodeJob>>,
}

impl WasmJob {
    pub(super) fn new(job: EncodeJob, texts: Vec<String>) -> Self {
        Self {
            texts,
            job: RefCell::new(Some(job)),
        }
    }
}

#[wasm_bindgen]
impl WasmJob {
    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Runs the next batch, or one on each thread, and returns how many texts
    /// there were; 0 when all are done.
    #[wasm_bindgen(js_name = runNext)]
    pub fn run_next(&self) -> JsResult<usize> {
        health::check()?;
        let mut job = self.job.borrow_mut();
        let done = job
            .as_mut()
            .ok_or_else(finished)
            .and_then(EncodeJob::run_round);
        done.map(Option::unwrap_or_default).map_err(to_js)
    }

    /// Runs what is left and returns the embeddings of all texts.
    pub fn finish(&self) -> JsResult<JsValue> {
        health::check()?;
        let job = self.job.take().ok_or_else(finished);
        job.and_then(EncodeJob::finish)
            .and_then(|embeddings| to_object(&self.texts, &embeddings))
            .map_err(to_js)
    }
}

fn finished() -> Error {
    Error::option("job", "one that is not finished", "a finished one")
}

/// All embeddings one after the other, with the tokens behind each row.
fn to_object(texts: &[String], embeddings: &[Embedding]) -> Result<JsValue> {
    let mut tokens = TokenColumns::default();
    let mut truncations = Truncations::default();
    let mut rows = Vec::with_capacity(embeddings.len());
    let mut offsets = vec![0];
    let values = embeddings
        .iter()
        .map(|one| one.as_slice().len())
        .sum::<usize>();
    let data = Float32Array::new_with_length(values as u32);
    let mut filled = 0;
    for (text, embedding) in texts.iter().zip(embeddings) {
        let values = embedding.as_slice();
        let end = filled + values.len() as u32;
        data.subarray(filled, end).copy_from(values);
        filled = end;

        let members: Vec<_> = (0..embedding.tokens())
            .map(|row| embedding.row_tokens(row))
            .collect();
        let spans = members
            .iter()
            .flatten()
            .filter_map(|token| token.span.as_ref());
        let index = Utf16Index::new(text, spans.map(|span| span.end).max().unwrap_or(0));
        for row in members {
            for token in row {
                tokens.push(token.id, token.role, token.span, &index);
            }
            offsets.push(tokens.ids.len() as u32);
        }
        rows.push(embedding.tokens() as u32);
        truncations.push(embedding.truncation().unwrap_or_default());
    }
    let dim = embeddings.first().map_or(0, Embedding::dim);
    Ok(object([
        ("data", data.into()),
        ("rows", integers(&rows)),
        ("dim", (dim as u32).into()),
        ("memberOffsets", integers(&offsets)),
        ("ids", integers(&tokens.ids)),
        ("roles", bytes(&tokens.roles)),
        ("spans", integers(&tokens.spans)),
        ("keptTokens", integers(&truncations.kept)),
        ("droppedTokens", integers(&truncations.dropped)),
    ]))
}
