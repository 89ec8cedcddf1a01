//! Corpora in the module's memory.

use std::cell::RefCell;

use js_sys::Uint8Array;
use multivec_core::corpus::{Corpus, CorpusSpace, CorpusWriter, VectorPrecision};
use multivec_core::{Embedding, Error, Result};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::object;
use super::error::{JsResult, to_js};
use super::health;

/// A corpus, and documents that are to be added to it.
#[wasm_bindgen]
pub struct WasmCorpus {
    // As in `WasmJob`.
    state: RefCell<State>,
}

pub(super) struct State {
    pub(super) corpus: Corpus,
    /// What writers wrote.
    pending: Vec<Vec<u8>>,
    pending_documents: usize,
}

impl WasmCorpus {
    fn of(corpus: Corpus) -> Self {
        let (pending, pending_documents) = (Vec::new(), 0);
        let state = State {
            corpus,
            pending,
            pending_documents,
        };
        Self {
            state: RefCell::new(state),
        }
    }

    pub(super) fn with<T>(&self, run: impl FnOnce(&mut State) -> Result<T>) -> JsResult<T> {
        health::check()?;
        run(&mut self.state.borrow_mut()).map_err(worded)
    }
}

#[wasm_bindgen]
impl WasmCorpus {
    /// An empty one. `name` is for messages.
    #[wasm_bindgen(constructor)]
    pub fn new(name: String, dim: usize, precision: &str, space: String) -> JsResult<WasmCorpus> {
        health::check()?;
        let corpus = precision_of(precision).and_then(|precision| {
            let of = CorpusSpace::new(dim)
                .with_precision(precision)
                .with_space(space);
            let bytes = CorpusWriter::new(Vec::new(), of)?.finish()?;
            Corpus::parse(name, bytes)
        });
        corpus.map(Self::of).map_err(worded)
    }

    /// Reads the bytes of a corpus.
    pub fn parse(name: String, bytes: Vec<u8>) -> JsResult<WasmCorpus> {
        health::check()?;
        Corpus::parse(name, bytes).map(Self::of).map_err(worded)
    }

    /// What is in it.
    pub fn info(&self) -> JsResult<JsValue> {
        health::check()?;
        let corpus = &self.state.borrow().corpus;
        object(&Info {
            documents: corpus.len(),
            rows: corpus.rows(),
            bytes: corpus.parts().map(<[u8]>::len).sum(),
            dim: corpus.space().dim,
            precision: corpus.space().precision.name(),
            fingerprint: &corpus.space().space,
        })
    }

    /// Takes documents, whose rows end at `ends`; they are added by
    /// [`commit`](Self::commit).
    pub fn push(&self, ids: Vec<String>, data: Vec<f32>, ends: Vec<u32>) -> JsResult<()> {
        self.with(|state| {
            let bytes = state.written(&ids, &data, &ends);
            let bytes = bytes.map_err(|error| error.after(state.pending_documents))?;
            state.pending.push(bytes);
            state.pending_documents += ids.len();
            Ok(())
        })
    }

    /// Adds what was taken.
    pub fn commit(&self) -> JsResult<()> {
        self.with(|state| {
            state.pending_documents = 0;
            for bytes in std::mem::take(&mut state.pending) {
                state.corpus.extend(bytes)?;
            }
            Ok(())
        })
    }

    /// Forgets what was taken.
    pub fn discard(&self) -> JsResult<()> {
        self.with(|state| {
            state.pending_documents = 0;
            state.pending.clear();
            Ok(())
        })
    }

    /// The bytes, which [`parse`](Self::parse) reads.
    pub fn bytes(&self) -> JsResult<Uint8Array> {
        self.with(|State { corpus, .. }| {
            let size: usize = corpus.parts().map(<[u8]>::len).sum();
            let bytes = Uint8Array::new_with_length(size as u32);
            let mut start = 0;
            for part in corpus.parts() {
                let end = start + part.len() as u32;
                bytes.subarray(start, end).copy_from(part);
                start = end;
            }
            Ok(bytes)
        })
    }
}

impl State {
    fn written(&self, ids: &[String], data: &[f32], ends: &[u32]) -> Result<Vec<u8>> {
        let dim = self.corpus.space().dim;
        let mut writer = CorpusWriter::continuing(&self.corpus, Vec::new());
        for (id, document) in ids.iter().zip(embeddings(data, ends, dim)) {
            writer.push(id, &document?)?;
        }
        writer.finish()
    }
}

/// Embeddings of `dim` columns, whose rows end at `ends`.
pub(super) fn embeddings(
    data: &[f32],
    ends: &[u32],
    dim: usize,
) -> impl Iterator<Item = Result<Embedding>> {
    let starts = std::iter::once(&0).chain(ends);
    starts.zip(ends).map(move |(&start, &end)| {
        let [start, end] = [start, end].map(|row| (row as usize).saturating_mul(dim));
        let rows = data
            .get(start..end)
            .ok_or_else(|| Error::option("ends", format!("rows in {} values", data.len()), end));
        Embedding::from_rows(rows?.to_vec(), dim)
    })
}

fn precision_of(name: &str) -> Result<VectorPrecision> {
    let found = VectorPrecision::ALL
        .into_iter()
        .find(|precision| precision.name() == name);
    found.ok_or_else(|| Error::option("precision", "`f32`, `f16`, `int8` or `bits`", name))
}

/// The option's name is another one in JavaScript.
fn worded(error: Error) -> JsValue {
    to_js(match error {
        Error::InvalidOption {
            option: "vector_precision",
            expected,
            found,
            ..
        } => Error::option("precision", expected, found),
        error => error,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    documents: usize,
    rows: usize,
    bytes: usize,
    dim: usize,
    precision: &'a str,
    fingerprint: &'a str,
}
