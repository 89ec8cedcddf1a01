//! Files that are cut, changed, or never were corpora.

use multivec::Embedding;
use multivec::corpus::{Corpus, CorpusSpace, CorpusWriter, SearchOptions};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{precision, searches, written};
use crate::inputs::cases;

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

proptest! {
    #![proptest_config(cases(500))]

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

/// The error of a corpus of two documents, of one row and of two, after `change`.
fn refused(change: impl Fn(&mut Vec<u8>)) -> String {
    let document = |rows: usize| Embedding::from_rows(vec![0.5; 4 * rows], 4).expect("whole rows");
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
        (
            set(SEGMENT + 16, u64::MAX),
            "expected 18446744073709551615 rows, found 3",
        ),
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
