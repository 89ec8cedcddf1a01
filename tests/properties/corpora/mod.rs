//! Corpora against rankings of their documents, and damaged ones.

mod damage;
mod searches;

use multivec::Embedding;
use multivec::corpus::{Corpus, CorpusSpace, CorpusWriter, VectorPrecision};
use proptest::collection::vec;
use proptest::prelude::*;

fn embedding(dim: usize) -> impl Strategy<Value = Embedding> {
    let rows = vec(vec(-1.0..1.0f32, dim), 0..9);
    rows.prop_map(move |rows| Embedding::from_rows(rows.concat(), dim).expect("rows are complete"))
}

/// Queries and documents of one dimension.
fn searches() -> impl Strategy<Value = (Vec<Embedding>, Vec<Embedding>)> {
    (1..40usize).prop_flat_map(|dim| (vec(embedding(dim), 1..4), vec(embedding(dim), 0..30)))
}

fn precision() -> impl Strategy<Value = VectorPrecision> {
    (0..4usize).prop_map(|at| VectorPrecision::ALL[at])
}

fn id(at: usize) -> String {
    // Some are alike, some are empty, and some have characters of several bytes.
    "§".repeat(at % 5)
}

/// The bytes of a corpus, written in several parts.
fn written(space: CorpusSpace, documents: &[Embedding]) -> Vec<u8> {
    let (first, last) = documents.split_at(documents.len() / 2);
    let mut writer = CorpusWriter::new(Vec::new(), space).expect("the space is allowed");
    for (at, document) in first.iter().enumerate() {
        writer.push(&id(at), document).expect("it is finite");
        if at % 7 == 3 {
            writer.flush().expect("memory takes it");
        }
    }
    let bytes = writer.finish().expect("memory takes it");
    let corpus = Corpus::parse("begun", bytes.clone()).expect("it is whole");
    let mut writer = CorpusWriter::continuing(&corpus, bytes);
    for (at, document) in last.iter().enumerate() {
        let id = id(first.len() + at);
        writer.push(&id, document).expect("it is finite");
    }
    writer.finish().expect("memory takes it")
}
