//! An encoding in progress.

use std::cell::RefCell;

use js_sys::Float32Array;
use multivec_core::{Embedding, EncodeJob, Error};
use serde::Serialize;
use serde_wasm_bindgen::preserve;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, integers, object};
use super::error::{JsResult, to_js};
use super::health;
use crate::utf16::Utf16Index;

/// Encodes texts batch by batch, so that JavaScript can report progress or
/// abort in between.
#[wasm_bindgen]
pub struct WasmJob {
    texts: Vec<String>,
    /// Texts of the stream before these.
    before: usize,
    // After a panic, wasm-bindgen's own cell would refuse every call with a
    // message about aliasing, which hides what happened.
    job: RefCell<Option<EncodeJob>>,
}

impl WasmJob {
    pub(super) fn new(job: EncodeJob, texts: Vec<String>, before: usize) -> Self {
        Self {
            texts,
            before,
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

    /// Runs the next batch, or one a thread, and returns its number of texts;
    /// 0 when all are done.
    #[wasm_bindgen(js_name = runNext)]
    pub fn run_next(&self) -> JsResult<usize> {
        health::check()?;
        let mut job = self.job.borrow_mut();
        let done = job
            .as_mut()
            .ok_or_else(finished)
            .and_then(EncodeJob::run_round);
        done.map(Option::unwrap_or_default)
            .map_err(|error| to_js(error.after(self.before)))
    }

    /// Runs the remaining batches and returns the embeddings of all texts.
    pub fn finish(&self) -> JsResult<JsValue> {
        health::check()?;
        let job = self.job.take().ok_or_else(finished);
        let embeddings = job
            .and_then(EncodeJob::finish)
            .map_err(|error| to_js(error.after(self.before)))?;
        object(&EncodedTexts::new(&self.texts, &embeddings))
    }
}

fn finished() -> Error {
    Error::option("job", "one that is not finished", "a finished one")
}

/// All embeddings one after the other, with the tokens behind each row.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EncodedTexts {
    #[serde(with = "preserve")]
    data: Float32Array,
    #[serde(serialize_with = "integers")]
    rows: Vec<u32>,
    dim: usize,
    /// Where the tokens of each row start in the columns; one more than rows.
    #[serde(serialize_with = "integers")]
    member_offsets: Vec<u32>,
    #[serde(flatten)]
    tokens: TokenColumns,
    #[serde(flatten)]
    truncations: Truncations,
}

impl EncodedTexts {
    fn new(texts: &[String], embeddings: &[Embedding]) -> Self {
        let values: usize = embeddings.iter().map(|one| one.as_slice().len()).sum();
        let mut all = Self {
            data: Float32Array::new_with_length(values as u32),
            rows: Vec::with_capacity(embeddings.len()),
            dim: embeddings.first().map_or(0, Embedding::dim),
            member_offsets: vec![0],
            tokens: TokenColumns::default(),
            truncations: Truncations::default(),
        };
        let mut filled = 0;
        for (text, embedding) in texts.iter().zip(embeddings) {
            let values = embedding.as_slice();
            let end = filled + values.len() as u32;
            all.data.subarray(filled, end).copy_from(values);
            filled = end;
            all.push_tokens(text, embedding);
        }
        all
    }

    fn push_tokens(&mut self, text: &str, embedding: &Embedding) {
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
                let span = token.span.map(|bytes| index.range(bytes));
                self.tokens.push(token.id, token.role, span, || token.text);
            }
            self.member_offsets.push(self.tokens.ids.len() as u32);
        }
        self.rows.push(embedding.tokens() as u32);
        self.truncations
            .push(embedding.truncation().unwrap_or_default());
    }
}
