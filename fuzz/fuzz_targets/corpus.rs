//! Opens any bytes as a corpus and searches it. Hashes of headers are made to fit
//! first, since they would hide everything behind them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use multivec_core::Embedding;
use multivec_core::corpus::{Corpus, SearchOptions};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    let mut start = 0;
    while let Some(end) = rehash(&mut bytes, start) {
        // The vectors of a segment are skipped by looking for the next one.
        let next = (end.next_multiple_of(64)..bytes.len())
            .step_by(64)
            .find(|&at| bytes[at..].starts_with(b"MVCSEGMT"));
        match next {
            Some(next) => start = next,
            None => break,
        }
    }
    match Corpus::parse("fuzzed", bytes) {
        Ok(corpus) => {
            let dim = corpus.space().dim;
            let query = Embedding::from_rows(vec![0.5; 2 * dim], dim).expect("two rows");
            let documents: Vec<usize> = (0..corpus.len()).rev().collect();
            let options = SearchOptions::new(3);
            for options in [options, options.among(&documents)] {
                match corpus.search_many(&[query.clone(), query.clone()], &options) {
                    Ok(found) => {
                        for one in found.iter().flatten() {
                            assert!(one.score.is_finite() && corpus.id(one.index).is_some());
                        }
                    }
                    Err(error) => {
                        assert!(["invalid_file", "invalid_option"].contains(&error.code()));
                    }
                }
            }
        }
        Err(error) => assert_eq!(error.code(), "invalid_file"),
    }
});

/// Makes the hash of a header and its tables fit. Returns where they end.
fn rehash(bytes: &mut [u8], start: usize) -> Option<usize> {
    let number = |at: usize| {
        let bytes = bytes.get(start + at..start + at + 8)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let ends = match start {
        0 => 0,
        _ => number(8)?.checked_mul(16)?,
    };
    let end = ends.checked_add(number(24)?)?.checked_add(start + 64)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes.get(start..start + 32)?);
    hasher.update(bytes.get(start + 64..end)?);
    bytes[start + 32..start + 64].copy_from_slice(hasher.finalize().as_bytes());
    Some(end)
}
