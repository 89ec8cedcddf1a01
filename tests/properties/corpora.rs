//! Corpora against rankings of their documents, and damaged ones.

use multivec::corpus::{Corpus, CorpusSpace, CorpusWriter, SearchOptions, VectorPrecision};
use multivec::{Cancellation, Embedding, Error, Ranked, ThreadPool, rank, rerank};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::inputs::cases;

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

/// Where the first segment begins, after a space of a few bytes.
const SEGMENT: usize = 128;

/// The byte after the tables that a header says it has.
fn tables_end(bytes: &[u8], start: usize) -> Option<usize> {
    let number = |at: usize| {
        let bytes = bytes.get(start + at..start + at + 8)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let ends = if start == 0 {
        0
    } else {
        number(8)?.checked_mul(16)?
    };
    let end = ends.checked_add(number(24)?)?.checked_add(start + 64)?;
    (end <= bytes.len()).then_some(end)
}

/// Makes the hash of a header fit again.
fn rehash(bytes: &mut [u8], start: usize) {
    if let Some(end) = tables_end(bytes, start) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes[start..start + 32]);
        hasher.update(&bytes[start + 64..end]);
        bytes[start + 32..start + 64].copy_from_slice(hasher.finalize().as_bytes());
    }
}

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

    #[test]
    fn damaged_corpora_are_refused_or_unharmed(
        (queries, documents) in searches(),
        precision in precision(),
        places in vec((any::<usize>(), any::<u8>()), 1..6),
        cut in any::<usize>(),
    ) {
        let space = CorpusSpace::new(queries[0].dim()).with_precision(precision).with_space("some");
        let whole = written(space, &documents);
        let cut = &whole[..cut % whole.len()];
        match Corpus::parse("cut", cut.to_vec()) {
            Ok(corpus) => prop_assert!(corpus.len() < documents.len()),
            Err(error) => prop_assert_eq!(error.code(), "invalid_file"),
        }
        let mut damaged = whole;
        for (place, value) in places {
            let at = place % damaged.len();
            damaged[at] = value;
        }
        match Corpus::parse("damaged", damaged) {
            // Vectors are not hashed.
            Ok(corpus) => {
                prop_assert_eq!(corpus.len(), documents.len());
                match corpus.search_many(&queries, &SearchOptions::new(9)) {
                    Ok(found) => prop_assert!(found.iter().flatten().all(|one| one.score.is_finite())),
                    Err(error) => prop_assert!(["invalid_file", "invalid_option"].contains(&error.code())),
                }
            }
            Err(error) => prop_assert_eq!(error.code(), "invalid_file"),
        }
    }

    /// As [`damaged_corpora_are_refused_or_unharmed`], where hashes hide nothing.
    #[test]
    fn tables_that_lie_are_refused(
        (queries, documents) in searches(),
        precision in precision(),
        word in any::<prop::sample::Index>(),
        value in prop_oneof![
            0..20u64,
            any::<u64>(),
            (0..64u32).prop_map(|bit| 1 << bit),
            (0..9u64).prop_map(|less| u64::MAX - less),
        ],
    ) {
        let space = CorpusSpace::new(queries[0].dim()).with_precision(precision).with_space("some");
        let mut bytes = written(space, &documents);
        let end = tables_end(&bytes, SEGMENT).unwrap_or(SEGMENT);
        // Anywhere but in the hashes, which are made anew.
        let words: Vec<usize> = (8..end).step_by(8).filter(|at| !(32..64).contains(&(at % SEGMENT)) || *at >= 192).collect();
        let at = *word.get(&words);
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        for start in [0, SEGMENT] {
            rehash(&mut bytes, start);
        }
        match Corpus::parse("lies", bytes) {
            Ok(corpus) => {
                let found = corpus.search_many(&queries, &SearchOptions::new(3));
                if let Err(error) = found {
                    let codes = ["invalid_file", "dimension_mismatch", "invalid_option"];
                    prop_assert!(codes.contains(&error.code()), "{}", error);
                }
            }
            Err(error) => prop_assert_eq!(error.code(), "invalid_file"),
        }
    }

    #[test]
    fn any_bytes_are_no_corpus(mut bytes in vec(any::<u8>(), 0..300), has_magic in any::<bool>()) {
        if has_magic && bytes.len() > 8 {
            bytes[..8].copy_from_slice(b"MVCORPUS");
        }
        let error = Corpus::parse("bytes", bytes).expect_err("no hash fits");
        prop_assert_eq!(error.code(), "invalid_file");
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

/// The error of a corpus of two documents, of one row and of two, after `change`.
fn refused(change: impl Fn(&mut Vec<u8>)) -> String {
    let document = |rows| Embedding::from_rows(vec![0.5; 4 * rows], 4).expect("whole rows");
    let mut bytes = Vec::new();
    let space = CorpusSpace::new(4).with_space("some");
    let mut writer = CorpusWriter::new(&mut bytes, space).expect("the space is allowed");
    writer.push("one", &document(1)).expect("it is finite");
    writer.push("two", &document(2)).expect("it is finite");
    writer.finish().expect("memory takes it");
    change(&mut bytes);
    rehash(&mut bytes, 0);
    rehash(&mut bytes, SEGMENT);
    let error = Corpus::parse("texts.corpus", bytes).expect_err("it is damaged");
    assert_eq!(error.code(), "invalid_file");
    error.to_string()
}

#[test]
fn damage_is_named() {
    let set = |at: usize, value: u64| {
        refused(move |bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()))
    };
    let cases = [
        (set(0, 7), "expected a corpus at byte 0"),
        (set(8, 2), "expected version 1, found version 2"),
        (
            set(8, 9 << 32 | 1),
            "expected a precision of 0 to 3, found 9",
        ),
        (set(16, 0), "expected 1 to 65535 columns, found 0"),
        (set(24, 1 << 40), "expected a space of at most 1024 bytes"),
        (set(SEGMENT, 7), "expected a segment at byte 128"),
        (set(SEGMENT + 8, 1 << 62), "times 16 bytes from byte 192"),
        (set(SEGMENT + 16, u64::MAX), "expected an end"),
        (
            set(SEGMENT + 16, 2),
            "expected an end of rows from 1 to 2, found 3",
        ),
        (
            set(SEGMENT + 64, 5),
            "expected an end of rows from 0 to 3, found 5",
        ),
        (
            set(SEGMENT + 72, 0),
            "expected an end of rows from 1 to 3, found 0",
        ),
        (set(SEGMENT + 72, 2), "expected 3 rows, found 2"),
        (
            set(SEGMENT + 80, 7),
            "expected an end of bytes of ids from 0 to 6, found 7",
        ),
        (
            refused(|bytes| bytes.truncate(bytes.len() - 64)),
            "expected 3 times 16 bytes from byte 256 on, found 256 bytes",
        ),
        (
            refused(Vec::clear),
            "expected 1 times 64 bytes from byte 0 on",
        ),
        (
            refused(|bytes| bytes[127] = 1),
            "expected zeros between parts, found 1",
        ),
    ];
    for (found, expected) in cases {
        assert!(
            found.starts_with("texts.corpus: ") && found.contains(expected),
            "{found}\n{expected}"
        );
    }
    let mut bytes = written(CorpusSpace::new(1).with_space("some"), &[]);
    let corpus = Corpus::parse("empty", bytes.clone()).expect("it is whole");
    let mut writer = CorpusWriter::continuing(&corpus, &mut bytes);
    let row = Embedding::from_rows(vec![1.], 1).expect("a row");
    writer.push("id", &row).expect("it is finite");
    writer.finish().expect("memory takes it");
    bytes[SEGMENT + 80] ^= 1;
    let hash = Corpus::parse("hash", bytes);
    let error = hash.expect_err("an id has changed");
    assert_eq!(
        error.to_string(),
        "hash: expected tables at byte 128 as they were written, found another hash"
    );
}
