//! Searches of what is stored.

use multivec::corpus::{Corpus, CorpusSpace, CorpusWriter, SearchOptions, VectorPrecision};
use multivec::{Cancellation, Embedding, Error, Ranked, ThreadPool, rank, rerank};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{id, precision, searches, written};
use crate::inputs::cases;

/// What a precision makes of a row of a document, by definition.
fn stored(row: &[f32], precision: VectorPrecision) -> Vec<f32> {
    let largest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = largest / 127.;
    let stored = |&value: &f32| match precision {
        // Values below 2^-14 are rounded otherwise, by less than the tolerance.
        VectorPrecision::F16 => {
            let bits = value.to_bits();
            f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
        }
        VectorPrecision::Int8 if scale > 0. => (value / scale).round_ties_even() * scale,
        VectorPrecision::Bits => {
            f32::from(value >= 0.).mul_add(2., -1.) / (row.len() as f32).sqrt()
        }
        _ => value,
    };
    row.iter().map(stored).collect()
}

fn embedding_of(embedding: &Embedding, precision: VectorPrecision) -> Embedding {
    let rows = embedding.as_slice().chunks(embedding.dim().max(1));
    let rows: Vec<f32> = rows.flat_map(|row| stored(row, precision)).collect();
    Embedding::from_rows(rows, embedding.dim()).expect("rows are complete")
}

/// The same documents, except for those whose scores are within rounding.
fn assert_alike(found: &[Ranked], expected: &[Ranked]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found.score - expected.score).abs() < 1e-4,
            "{found:?} {expected:?}"
        );
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_corpus_that_was_extended_is_what_its_bytes_are(
        (queries, documents) in searches(),
        precision in precision(),
    ) {
        let space = CorpusSpace::new(queries[0].dim()).with_precision(precision);
        let writer = CorpusWriter::new(Vec::new(), space).expect("the space is allowed");
        let empty = writer.finish().expect("memory takes it");
        let mut corpus = Corpus::parse("memory", empty).expect("it is whole");
        for (at, documents) in documents.chunks(7).enumerate() {
            let mut writer = CorpusWriter::continuing(&corpus, Vec::new());
            for (within, document) in documents.iter().enumerate() {
                writer.push(&id(7 * at + within), document).expect("it is finite");
            }
            corpus.extend(writer.finish().expect("memory takes it")).expect("it is whole");
            let mut cut = CorpusWriter::continuing(&corpus, Vec::new());
            cut.push("cut", &documents[0]).expect("it is finite");
            let mut cut = cut.finish().expect("memory takes it");
            cut.pop();
            prop_assert!(corpus.extend(cut).is_err());
            prop_assert_eq!(corpus.len(), 7 * at + documents.len());
        }
        let bytes: Vec<u8> = corpus.parts().flatten().copied().collect();
        let whole = Corpus::parse("memory", bytes).expect("it is whole");
        prop_assert_eq!(whole.len(), documents.len());
        let options = SearchOptions::new(documents.len());
        let search = |corpus: &Corpus| corpus.search_many(&queries, &options).expect("it is found");
        prop_assert_eq!(search(&corpus), search(&whole));
        for (at, document) in documents.iter().enumerate() {
            prop_assert_eq!(corpus.id(at), whole.id(at));
            prop_assert_eq!(corpus.rows_of(at), Some(document.tokens()));
        }
        prop_assert!(corpus.rows_of(documents.len()).is_none());
    }

    #[test]
    fn searches_are_rankings_of_what_is_stored(
        (queries, documents) in searches(),
        precision in precision(),
        most in 0..40usize,
        picks in vec(0..30usize, 0..20),
    ) {
        let dim = queries[0].dim();
        let space = CorpusSpace::new(dim).with_precision(precision).with_space("some");
        let corpus = Corpus::parse("memory", written(space.clone(), &documents)).expect("it is whole");
        prop_assert_eq!(corpus.space(), &space);
        prop_assert_eq!(corpus.len(), documents.len());
        prop_assert_eq!(corpus.rows(), documents.iter().map(Embedding::tokens).sum::<usize>());
        for at in 0..documents.len() {
            let expected = id(at);
            prop_assert_eq!(corpus.id(at), Some(expected.as_str()));
        }
        prop_assert!(corpus.id(documents.len()).is_none());
        let wanted = corpus.positions(["§", "§§§"]);
        let expected: Vec<usize> = (0..documents.len()).filter(|at| [1, 3].contains(&(at % 5))).collect();
        prop_assert_eq!(wanted, expected);

        let meant: Vec<Embedding> = documents.iter().map(|one| embedding_of(one, precision)).collect();
        let query_precision = match precision {
            VectorPrecision::Int8 | VectorPrecision::Bits => VectorPrecision::Int8,
            _ => VectorPrecision::F32,
        };
        let mut threads = ThreadPool::default();
        threads.grow_to(2).expect("threads are started");
        let options = SearchOptions::new(most).with_threads(&threads);
        let many = corpus.search_many(&queries, &options).expect("it is found");
        prop_assert_eq!(many.len(), queries.len());
        for (query, found) in queries.iter().zip(many) {
            let alone = corpus.search(query, most).expect("it is found");
            prop_assert_eq!(&found, &alone);
            let query_meant = embedding_of(query, query_precision);
            let mut expected = rank(&query_meant, &meant).expect("they are finite");
            expected.truncate(most);
            if precision == VectorPrecision::F32 {
                prop_assert_eq!(&found, &expected);
            }
            assert_alike(&found, &expected);
            // Some documents alone.
            let candidates: Vec<usize> = picks.iter().copied().filter(|&at| at < documents.len()).collect();
            let found = corpus.rerank(query, &candidates, most).expect("positions are valid");
            let mut expected = rerank(&query_meant, &meant, &candidates).expect("positions are valid");
            expected.truncate(most);
            if precision == VectorPrecision::F32 {
                prop_assert_eq!(&found, &expected);
            }
            assert_alike(&found, &expected);
            let beyond = corpus.rerank(query, &[documents.len()], most).expect_err("no such document");
            prop_assert_eq!(beyond.code(), "invalid_option");
        }
    }
}

#[test]
fn what_cannot_be_stored_is_refused_and_left_out() {
    let space = CorpusSpace::new(2).with_precision(VectorPrecision::F16);
    let mut writer = CorpusWriter::new(Vec::new(), space).expect("the space is allowed");
    let rows = |values: &[f32]| Embedding::from_rows(values.to_vec(), 2).expect("whole rows");
    writer.push("a", &rows(&[0.5, 1.])).expect("it is finite");
    let codes = [[1., f32::NAN], [f32::INFINITY, 1.], [1e5, 1.]].map(|row| {
        let document = rows(&[[0.5, 0.5], row].concat());
        let error = writer.push("broken", &document);
        error.expect_err("it cannot be stored").code()
    });
    assert_eq!(
        codes,
        ["non_finite_vector", "non_finite_vector", "invalid_option"]
    );
    let other = Embedding::from_rows(vec![1.; 3], 3).expect("a row");
    let error = writer
        .push("other", &other)
        .expect_err("it has three columns");
    assert_eq!(
        error.to_string(),
        "document 1: expected dimension 2, found 3"
    );
    writer
        .push("b", &rows(&[65504., -0.25]))
        .expect("it is finite");
    let corpus = Corpus::parse("memory", writer.finish().expect("memory takes it"));
    let corpus = corpus.expect("it is whole");
    assert_eq!(
        [corpus.id(0), corpus.id(1), corpus.id(2)],
        [Some("a"), Some("b"), None]
    );
    let found = corpus.search(&rows(&[1., 1.]), 3).expect("it is found");
    assert_eq!([found[0].score, found[1].score], [65503.75, 1.5]);

    let error = corpus
        .search(&rows(&[f32::NAN, 1.]), 1)
        .expect_err("it is not finite");
    assert_eq!(
        error.to_string(),
        "option `query`: expected finite numbers, found NaN in row 0"
    );
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = SearchOptions::new(1).with_cancellation(&cancellation);
    let error = corpus.search_many(&[rows(&[1., 1.])], &options);
    assert!(matches!(error, Err(Error::Cancelled { done: 0, .. })));
    let (dim, precision) = (1025, VectorPrecision::Int8);
    let space = CorpusSpace::new(dim).with_precision(precision);
    assert!(CorpusWriter::new(Vec::new(), space).is_err());
}
