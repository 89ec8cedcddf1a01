//! Texts of an exact number of tokens, from a seed.

use multivec::{Encoder, TextKind};
use multivec_peers_protocol::Result;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal};

const CORPUS: &str = include_str!("../../../models/demo-corpus.txt");
const SEED: u64 = 2024;

/// Documents of a benchmark.
pub struct Case {
    pub name: String,
    pub texts: Vec<String>,
}

/// The documents of all cases: of one length, and of mixed ones, with about as
/// many tokens each, and a call of few short ones; `count` makes fewer of them
/// where that is enough.
pub fn cases(encoder: &Encoder, count: impl Fn(usize) -> usize) -> Result<Vec<Case>> {
    let longest = encoder.length(TextKind::Document);
    // Log-normal, as lengths of passages are: half of them below 90 tokens.
    let mixed = LogNormal::new(90f64.ln(), 0.7).map_err(|error| error.to_string())?;
    let mut random = StdRng::seed_from_u64(SEED);
    let mixed: Vec<usize> = mixed
        .sample_iter(&mut random)
        .map(|length: f64| (length as usize).clamp(8, longest))
        .take(count(64))
        .collect();
    let few = count(64);
    [
        ("24 tokens".to_owned(), vec![24; count(384)]),
        (format!("{few} of 24 tokens"), vec![24; few]),
        ("128 tokens".to_owned(), vec![128; count(64)]),
        ("300 tokens".to_owned(), vec![300; count(32)]),
        ("mixed lengths".to_owned(), mixed),
    ]
    .into_iter()
    .map(|(name, lengths)| {
        Ok(Case {
            name,
            texts: lengths
                .into_iter()
                .map(|length| of_length(encoder, length, &mut random))
                .collect::<Result<_>>()?,
        })
    })
    .collect()
}

/// Documents of the same length.
pub fn documents(encoder: &Encoder, length: usize, count: usize) -> Result<Vec<String>> {
    let mut random = StdRng::seed_from_u64(SEED);
    (0..count)
        .map(|_| of_length(encoder, length, &mut random))
        .collect()
}

/// Queries of 4 to 12 words.
pub fn queries(count: usize) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(SEED);
    let words = words();
    (0..count)
        .map(|_| {
            let length = random.random_range(4..=12);
            let chosen = words.choose_multiple(&mut random, length).copied();
            chosen.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Words without the skiplist's punctuation, so that every token is a row.
fn words() -> Vec<&'static str> {
    CORPUS
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

fn of_length(encoder: &Encoder, length: usize, random: &mut StdRng) -> Result<String> {
    let words = words();
    let mut text = String::new();
    for _ in 0..50 * length {
        let word = words.choose(random).ok_or("the corpus has no words")?;
        let longer = format!("{text}{word} ");
        let found = encoder
            .tokenize(&[longer.as_str()], TextKind::Document)
            .map_err(|error| error.to_string())?;
        let dropped = found[0].truncation().is_truncated();
        if found[0].len() == length && !dropped {
            return Ok(longer);
        }
        // One token too many: another word will do.
        if found[0].len() < length && !dropped {
            text = longer;
        }
    }
    Err(format!("no text of {length} tokens was found"))
}
