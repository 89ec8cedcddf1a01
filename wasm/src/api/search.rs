//! Searches of corpora.

use std::cell::RefCell;

use multivec_core::Embedding;
use multivec_core::corpus::{Corpus, SearchOptions};
use multivec_core::score::Ranked;
use multivec_core::{Error, Result};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{floats, integers, object};
use super::corpus::{WasmCorpus, embeddings};
use super::error::JsResult;
use super::health;
use crate::ranking::merged;
use crate::threads::POOL;

/// Multiply-adds of a piece: some milliseconds.
const PIECE: usize = 1 << 26;
/// Most documents of a piece.
const MOST_DOCUMENTS: usize = 1 << 12;

/// Compares documents piece by piece, so that JavaScript can abort in between.
#[wasm_bindgen]
pub struct WasmSearch {
    // As in `WasmJob`.
    search: RefCell<Search>,
}

struct Search {
    queries: Vec<Embedding>,
    /// Rows of all queries.
    rows: usize,
    most: usize,
    /// Positions of the documents that are compared; otherwise all.
    among: Option<Vec<usize>>,
    /// How many are compared.
    count: usize,
    /// How many have been.
    done: usize,
    /// The best so far, for each query.
    best: Vec<Vec<Ranked>>,
}

#[wasm_bindgen]
impl WasmCorpus {
    /// Starts to look for the best `most` documents of all, of those at
    /// `positions`, or of those with `ids`. Rows of the queries end at `ends`.
    pub fn start(
        &self,
        queries: Vec<f32>,
        ends: Vec<u32>,
        most: usize,
        positions: Option<Vec<u32>>,
        ids: Option<Vec<String>>,
    ) -> JsResult<WasmSearch> {
        self.with(|state| {
            let corpus = &state.corpus;
            let queries = embeddings(&queries, &ends, corpus.space().dim);
            let queries = queries.collect::<Result<Vec<_>>>()?;
            let positions = positions.map(|all| all.into_iter().map(|at| at as usize).collect());
            let ids = ids.map(|ids| corpus.positions(ids.iter().map(String::as_str)));
            let among: Option<Vec<usize>> = positions.or(ids);
            let search = Search {
                rows: queries.iter().map(Embedding::tokens).sum(),
                most,
                count: among.as_ref().map_or(corpus.len(), Vec::len),
                among,
                done: 0,
                best: vec![Vec::new(); queries.len()],
                queries,
            };
            Ok(WasmSearch {
                search: RefCell::new(search),
            })
        })
    }
}

#[wasm_bindgen]
impl WasmSearch {
    /// Compares the next piece; whether there are more.
    #[wasm_bindgen(js_name = runNext)]
    pub fn run_next(&self, corpus: &WasmCorpus) -> JsResult<bool> {
        corpus.with(|state| self.search.borrow_mut().run_next(&state.corpus))
    }

    /// What was found.
    pub fn finish(&self, corpus: &WasmCorpus) -> JsResult<JsValue> {
        health::check()?;
        let found = corpus.with(|state| self.search.borrow().found(&state.corpus));
        object(&found?)
    }
}

impl Search {
    fn run_next(&mut self, corpus: &Corpus) -> Result<bool> {
        let per_row = self.rows.max(1) * corpus.space().dim;
        let most_rows = (PIECE / per_row).max(1) * POOL.size();
        let (mut piece, mut rows) = (Vec::new(), 0);
        while self.done < self.count && rows < most_rows && piece.len() < MOST_DOCUMENTS {
            let document = match &self.among {
                Some(among) => among[self.done],
                None => self.done,
            };
            // Those that are not there are refused below.
            rows += corpus.rows_of(document).unwrap_or(0);
            piece.push(document);
            self.done += 1;
        }
        let options = SearchOptions::new(self.most)
            .with_threads(&POOL)
            .among(&piece);
        let found = corpus.search_many(&self.queries, &options)?;
        for (best, found) in self.best.iter_mut().zip(found) {
            *best = merged(std::mem::take(best), found, self.most);
        }
        Ok(self.done < self.count)
    }

    fn found(&self, corpus: &Corpus) -> Result<Found> {
        let mut all = Found::default();
        for found in self.best.iter().flatten() {
            let missing = || Error::option("corpus", "the one of the search", "another");
            let id = corpus.id(found.index).ok_or_else(missing)?;
            all.indices.push(found.index as u32);
            all.scores.push(found.score);
            all.ids.push(id.to_owned());
        }
        let ends = self.best.iter().scan(0, |end, found| {
            *end += found.len() as u32;
            Some(*end)
        });
        all.ends = ends.collect();
        Ok(all)
    }
}

/// The best documents of all queries, one after the other.
#[derive(Default, Serialize)]
struct Found {
    #[serde(serialize_with = "integers")]
    indices: Vec<u32>,
    #[serde(serialize_with = "floats")]
    scores: Vec<f32>,
    ids: Vec<String>,
    /// Where each query ends.
    #[serde(serialize_with = "integers")]
    ends: Vec<u32>,
}
