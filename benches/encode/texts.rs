//! Texts of an exact number of tokens.

use multivec::{Encoder, TextKind};

const WORDS: [&str; 24] = [
    "the", "city", "of", "water", "and", "light", "is", "an", "old", "place", "where", "people",
    "learn", "to", "make", "food", "in", "a", "house", "by", "river", "with", "small", "stones",
];

/// `count` texts of exactly `length` tokens, special tokens included, none of
/// them a token of the skiplist.
pub fn of_length(encoder: &Encoder, kind: TextKind, length: usize, count: usize) -> Vec<String> {
    (0..count)
        .map(|at| one(encoder, kind, length, at))
        .collect()
}

fn one(encoder: &Encoder, kind: TextKind, length: usize, seed: usize) -> String {
    let tokens = |text: &str| {
        let found = encoder.tokenize(&[text], kind).expect("a text tokenizes");
        assert!(found[0].kept().iter().all(|&kept| kept));
        (found[0].len(), found[0].truncation().is_truncated())
    };
    // Steps of a linear congruential generator: other words for each text.
    let mut state = seed as u64 * 7919 + 1;
    let mut text = String::new();
    loop {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let word = WORDS[(state >> 33) as usize % WORDS.len()];
        let longer = format!("{text}{word} ");
        match tokens(&longer) {
            (found, false) if found == length => return longer,
            (found, false) if found < length => text = longer,
            // One token too many: another word will fit, as most are one token.
            _ => {}
        }
    }
}
