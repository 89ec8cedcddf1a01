//! Whether the vectors of a text depend on its batch.

use crate::batch::BatchLimit;
use crate::config::TextKind;
use crate::embedding::Embedding;
use crate::encoder::{AnyEncoder, CrossEncoder, EmbeddingHead, EncodeOptions, TextEncoder};
use crate::error::Result;
use crate::tokenize::TruncationPolicy;

/// Texts per batch.
const BATCH: usize = 32;

/// The largest difference of a component between the vectors of a text alone
/// and in a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct BatchInvariance {
    /// In batches of 32.
    pub in_batch: f32,
    /// In batches of 32, with the texts in reverse order.
    pub reordered: f32,
    /// In a batch with a text of the model's maximum length.
    pub beside_longest: f32,
}

impl BatchInvariance {
    /// The largest of all.
    pub fn largest(&self) -> f32 {
        self.in_batch.max(self.reordered).max(self.beside_longest)
    }
}

/// Encodes documents alone and in batches, with `options` except for its batch
/// limit and truncation policy.
///
/// # Errors
/// As [`TextEncoder::with_options`] and [`TextEncoder::encode`].
pub fn batch_invariance<H: EmbeddingHead, T: AsRef<str>>(
    encoder: &TextEncoder<H>,
    options: &EncodeOptions,
    texts: &[T],
) -> Result<BatchInvariance> {
    let encoder = encoder.with_options(&batched(options))?;
    let length = encoder.length(TextKind::Document);
    let matrices = |found: Vec<H::Output>| found.iter().map(H::matrix).collect();
    measure(texts, length, &|texts| {
        encoder.encode_documents(texts).map(matrices)
    })
}

/// As [`batch_invariance`], of an encoder of any kind.
///
/// # Errors
/// Those of [`batch_invariance`] and [`batch_invariance_of_pairs`].
pub fn batch_invariance_of_any<T: AsRef<str>>(
    encoder: &AnyEncoder,
    options: &EncodeOptions,
    texts: &[T],
) -> Result<BatchInvariance> {
    match encoder {
        AnyEncoder::MultiVector(encoder) => batch_invariance(encoder, options, texts),
        AnyEncoder::Dense(encoder) => batch_invariance(encoder, options, texts),
        AnyEncoder::Sparse(encoder) => batch_invariance(encoder, options, texts),
        AnyEncoder::Hybrid(encoder) => batch_invariance(encoder, options, texts),
        AnyEncoder::Cross(encoder) => batch_invariance_of_pairs(encoder, options, texts),
    }
}

/// As [`batch_invariance`], of the logits of documents with one query.
///
/// # Errors
/// As [`TextEncoder::with_options`] and [`CrossEncoder::predict`].
pub fn batch_invariance_of_pairs<T: AsRef<str>>(
    encoder: &CrossEncoder,
    options: &EncodeOptions,
    texts: &[T],
) -> Result<BatchInvariance> {
    let encoder = encoder.with_options(&batched(options))?;
    let length = encoder.length(TextKind::Document);
    measure(texts, length, &|texts| {
        let found = encoder.start_pairs(QUERY, texts)?.finish()?;
        let logits = found.into_iter().map(|one| Embedding::of_row(one.logits));
        Ok(logits.collect())
    })
}

/// The query of pairs.
const QUERY: &str = "how do bees find their way home";

fn batched(options: &EncodeOptions) -> EncodeOptions {
    options
        .clone()
        .with_batch_limit(BatchLimit::Texts(BATCH))
        .with_truncation(TruncationPolicy::Truncate)
}

/// Runs documents together.
type Run<'a> = &'a dyn Fn(&[&str]) -> Result<Vec<Embedding>>;

fn measure<T: AsRef<str>>(texts: &[T], length: usize, run: Run<'_>) -> Result<BatchInvariance> {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let mut alone = Vec::with_capacity(texts.len());
    for text in &texts {
        alone.extend(run(&[text])?);
    }
    let in_batch = largest(&alone, &run(&texts)?);

    let reversed: Vec<&str> = texts.iter().rev().copied().collect();
    let mut found = run(&reversed)?;
    found.reverse();
    let reordered = largest(&alone, &found);

    let longest = longest(length, &texts);
    let mut beside_longest = 0.;
    for (texts, alone) in texts.chunks(BATCH - 1).zip(alone.chunks(BATCH - 1)) {
        let mut batch = texts.to_vec();
        batch.push(&longest);
        let found = run(&batch)?;
        beside_longest = f32::max(beside_longest, largest(alone, &found));
    }
    Ok(BatchInvariance {
        in_batch,
        reordered,
        beside_longest,
    })
}

/// A text that the model truncates: as many words as the most tokens.
fn longest(length: usize, texts: &[&str]) -> String {
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    let words: Vec<&str> = words.chain(["and"]).collect();
    let words: Vec<&str> = words.into_iter().cycle().take(length).collect();
    words.join(" ")
}

/// The largest difference; infinite if shapes differ or any value is NaN.
fn largest(alone: &[Embedding], found: &[Embedding]) -> f32 {
    let pairs = alone.iter().zip(found);
    let distances = pairs.flat_map(|(left, right)| {
        let same = left.view().shape() == right.view().shape();
        let (left, right) = (left.as_slice().iter(), right.as_slice().iter());
        let distances = left.zip(right).map(|(left, right)| (left - right).abs());
        distances.chain((!same).then_some(f32::INFINITY))
    });
    distances.fold(0., |largest: f32, next: f32| {
        if next.is_nan() {
            f32::INFINITY
        } else {
            largest.max(next)
        }
    })
}
