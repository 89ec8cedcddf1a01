//! Whether two forms of a graph give the same vectors.

use multivec_kernels::sample;

use crate::backend::{Backend, Precision, RunMode, TokenStates};
use crate::batch::TokenBatch;
use crate::error::Result;
use crate::tokenize::TextTokenizer;

/// The largest difference of a component in FP32, of rows of unit length.
const FP32_BOUND: f32 = 1e-4;
/// The largest difference in INT8 beyond that, in multiples of the noise of
/// quantization.
const INT8_NOISE: f32 = 2.;

/// Three batches: a short text, a long one, and both together, the short one
/// padded.
pub struct Probes(Vec<TokenBatch>);

/// The outputs of a graph for the probes.
pub struct Outputs(Vec<TokenStates>);

/// The difference of two graphs' outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest difference of a component, of rows scaled to unit length.
    pub distance: f32,
    /// The largest difference that rounding and quantization explain.
    pub bound: f32,
}

impl Difference {
    /// Whether the graphs count as equal; never if the difference is NaN.
    pub fn is_within_bound(self) -> bool {
        self.distance <= self.bound
    }
}

impl Probes {
    /// Probes for a model with this vocabulary and texts of up to `length`
    /// tokens.
    pub fn new(tokenizer: &TextTokenizer, length: usize) -> Self {
        let long = length.clamp(4, 192);
        let short = (long / 3).max(2);
        let ids = ids(tokenizer, long);
        let padding = vec![i64::from(tokenizer.pad_id()); long - short];
        let batch = |rows: usize, ids: Vec<i64>, attended: &[usize]| {
            let length = ids.len() / rows;
            let mask = attended
                .iter()
                .flat_map(|&count| (0..length).map(move |at| i64::from(at < count)));
            TokenBatch {
                rows,
                length,
                attention_mask: mask.collect(),
                input_ids: ids,
                token_type_ids: None,
            }
        };
        Self(vec![
            batch(1, ids[..short].to_vec(), &[short]),
            batch(1, ids.clone(), &[long]),
            batch(
                2,
                [&ids[..], &ids[..short], &padding].concat(),
                &[long, short],
            ),
        ])
    }

    /// The same probes as pairs of texts.
    #[must_use]
    pub fn as_pairs(mut self) -> Self {
        for batch in &mut self.0 {
            let of_row = |at: usize| i64::from(at % batch.length >= batch.length / 4);
            let types = (0..batch.input_ids.len()).map(of_row);
            batch.token_type_ids = Some(types.collect());
        }
        self
    }

    /// The batches, shortest text first.
    pub fn batches(&self) -> &[TokenBatch] {
        &self.0
    }

    /// Runs a backend on the probes.
    ///
    /// # Errors
    /// Those of [`Backend::run`].
    pub fn run(&self, backend: &dyn Backend) -> Result<Outputs> {
        let run = |batch| backend.run(batch, RunMode::Exclusive);
        self.0.iter().map(run).collect::<Result<_>>().map(Outputs)
    }

    /// Compares the rows of attended tokens.
    ///
    /// The bound is 1e-4 in FP32. In INT8, another order of additions moves
    /// values across the boundary between two quantized values, as do other
    /// texts in the batch. There the bound grows by twice the difference of the
    /// original graph to itself, between a text alone and in a batch.
    pub fn compare(&self, original: &Outputs, other: &Outputs, precision: Precision) -> Difference {
        let batches = self.0.iter().zip(original.0.iter().zip(&other.0));
        let distances = batches.map(|(batch, (original, other))| {
            if is_of_texts(original, batch) {
                let row = |states, text| TextRow { states, text };
                let texts =
                    (0..batch.rows).map(|text| row(original, text).distance(row(other, text)));
                return texts.fold(0., largest_of);
            }
            let pairs = (0..batch.attention_mask.len()).filter(|&at| batch.attention_mask[at] == 1);
            largest(pairs.map(|at| (row(original, at), row(other, at))))
        });
        let distance = distances.fold(0., largest_of);
        let bound = match precision {
            Precision::Fp32 | Precision::Fp16 | Precision::Bf16 => FP32_BOUND,
            Precision::Int8 | Precision::Int4 => FP32_BOUND + INT8_NOISE * self.noise(original),
        };
        Difference { distance, bound }
    }

    /// How much a text's rows change with the batch that it is in.
    fn noise(&self, original: &Outputs) -> f32 {
        let [short, long, both] = original.0.as_slice() else {
            return 0.;
        };
        if is_of_texts(both, &self.0[2]) {
            let row = |states, text| TextRow { states, text };
            let of_long = row(long, 0).distance(row(both, 0));
            return largest_of(of_long, row(short, 0).distance(row(both, 1)));
        }
        let (short_length, long_length) = (self.0[0].length, self.0[1].length);
        let of_long = (0..long_length).map(|at| (row(long, at), row(both, at)));
        let of_short = (0..short_length).map(|at| (row(short, at), row(both, long_length + at)));
        largest(of_long.chain(of_short))
    }
}

/// A batch of texts without padding, with ids from the whole vocabulary.
pub fn sample_batch(tokenizer: &TextTokenizer, [rows, length]: [usize; 2]) -> TokenBatch {
    TokenBatch::unpadded(rows, ids(tokenizer, rows * length))
}

/// Ids from the whole vocabulary, the same on each call.
pub(crate) fn ids(tokenizer: &TextTokenizer, count: usize) -> Vec<i64> {
    let ids = u64::from(tokenizer.largest_id()) + 1;
    let numbers = sample::numbers().take(count);
    numbers.map(|number| (number % ids) as i64).collect()
}

/// A row scaled to unit length.
pub(crate) fn row(states: &TokenStates, at: usize) -> Vec<f32> {
    let row = states.data.iter().skip(at * states.dim).take(states.dim);
    let length = row
        .clone()
        .map(|one| one * one)
        .sum::<f32>()
        .sqrt()
        .max(1e-12);
    row.map(|one| one / length).collect()
}

/// The largest difference of a component; NaN if any is.
pub(crate) fn largest(pairs: impl Iterator<Item = (Vec<f32>, Vec<f32>)>) -> f32 {
    let difference = |(left, right): (Vec<f32>, Vec<f32>)| {
        if left.len() != right.len() {
            return f32::INFINITY;
        }
        let columns = left.iter().zip(&right);
        columns
            .map(|(left, right)| (left - right).abs())
            .fold(0., largest_of)
    };
    pairs.map(difference).fold(0., largest_of)
}

/// Whether the output of a batch has one row for each text.
fn is_of_texts(states: &TokenStates, batch: &TokenBatch) -> bool {
    batch.length > 1 && states.data.len() == batch.rows * states.dim
}

/// The row of a text, of an output with one row for each.
#[derive(Clone, Copy)]
pub(crate) struct TextRow<'a> {
    pub(crate) states: &'a TokenStates,
    /// The text's position in the batch.
    pub(crate) text: usize,
}

impl TextRow<'_> {
    /// The largest difference of a component to another row. Such rows are not
    /// scaled to unit length, since logits may have one column; the difference
    /// is in multiples of the largest component beyond 1.
    pub(crate) fn distance(self, other: TextRow<'_>) -> f32 {
        let (own, other) = (self.columns(), other.columns());
        let scale = own.iter().map(|value| value.abs()).fold(1., largest_of);
        largest(std::iter::once((own, other))) / scale
    }

    fn columns(self) -> Vec<f32> {
        let Self { states, text } = self;
        let row = states.data.iter().skip(text * states.dim).take(states.dim);
        row.copied().collect()
    }
}

/// The larger value; NaN counts as the largest.
fn largest_of(left: f32, right: f32) -> f32 {
    if left.is_nan() || right.is_nan() {
        return f32::NAN;
    }
    left.max(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes of three batches, and outputs of one row for each of their texts.
    fn compared(found: [&[f32]; 3]) -> f32 {
        let batch = |rows: usize| TokenBatch::unpadded(rows, vec![0; 4 * rows]);
        let probes = Probes(vec![batch(1), batch(1), batch(2)]);
        let outputs = |values: [&[f32]; 3]| {
            Outputs(values.map(|one| TokenStates::new(one.to_vec(), 1)).into())
        };
        let original = outputs([&[0.5], &[4.], &[4., 0.5]]);
        let difference = probes.compare(&original, &outputs(found), Precision::Fp32);
        difference.distance
    }

    #[test]
    fn logits_of_one_column_are_compared_as_they_are() {
        assert_eq!(compared([&[0.5], &[4.], &[4., 0.5]]), 0.);
        assert_eq!(compared([&[0.75], &[4.], &[4., 0.5]]), 0.25);
        // Beyond 1 in multiples of the logit.
        assert_eq!(compared([&[0.5], &[4.], &[3., 0.5]]), 0.25);
        assert!(compared([&[0.5], &[f32::NAN], &[4., 0.5]]).is_nan());
    }
}
