//! Whether two forms of a graph give the same vectors.

use crate::backend::{Backend, Precision, RunMode, TokenStates};
use crate::batch::TokenBatch;
use crate::error::Result;
use crate::tokenize::TextTokenizer;
use multivec_kernels::sample;

/// How far rows of length 1 may be apart, in any column, in 32-bit floats.
const FP32_BOUND: f32 = 1e-4;
/// How many times the noise of quantization they may be apart in INT8.
const INT8_NOISE: f32 = 2.;

/// Batches that show what a graph does: one short text, a long one, and the
/// same long one beside a short one that is padded.
pub struct Probes(Vec<TokenBatch>);

/// What a graph gave for the probes.
pub struct Outputs(Vec<TokenStates>);

/// How far the answers of two graphs are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest difference in any column, of rows scaled to length 1.
    pub distance: f32,
    /// The largest that is explained by rounding and quantization.
    pub bound: f32,
}

impl Difference {
    /// Whether the graphs count as equal.
    pub fn is_within_bound(self) -> bool {
        // Not a number is never within.
        self.distance <= self.bound
    }
}

impl Probes {
    /// Probes for a model of this vocabulary that takes texts of `length`
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

    /// Runs a backend on the probes.
    ///
    /// # Errors
    /// The backend's.
    pub fn run(&self, backend: &dyn Backend) -> Result<Outputs> {
        let run = |batch| backend.run(batch, RunMode::Exclusive);
        self.0.iter().map(run).collect::<Result<_>>().map(Outputs)
    }

    /// Compares the rows of attended tokens.
    ///
    /// In 32-bit floats the bound is 1e-4. In INT8 another order of additions
    /// moves values over the edge of a quantization step, as other neighbours
    /// in a batch do: the bound is twice what the published graph itself
    /// differs between a text alone and the same text in a batch.
    pub fn compare(
        &self,
        published: &Outputs,
        other: &Outputs,
        precision: Precision,
    ) -> Difference {
        let batches = self.0.iter().zip(published.0.iter().zip(&other.0));
        let distances = batches.map(|(batch, (published, other))| {
            let pairs = (0..batch.attention_mask.len()).filter(|&at| batch.attention_mask[at] == 1);
            largest(pairs.map(|at| (row(published, at), row(other, at))))
        });
        let distance = distances.fold(0., largest_of);
        let bound = match precision {
            Precision::Fp32 => FP32_BOUND,
            Precision::Int8 => FP32_BOUND + INT8_NOISE * self.noise(published),
        };
        Difference { distance, bound }
    }

    /// How far a text's rows move when there are others in its batch.
    fn noise(&self, published: &Outputs) -> f32 {
        let [short, long, both] = published.0.as_slice() else {
            return 0.;
        };
        let (short_length, long_length) = (self.0[0].length, self.0[1].length);
        let of_long = (0..long_length).map(|at| (row(long, at), row(both, at)));
        let of_short = (0..short_length).map(|at| (row(short, at), row(both, long_length + at)));
        largest(of_long.chain(of_short))
    }
}

/// Ids from all over the vocabulary, the same each time.
fn ids(tokenizer: &TextTokenizer, count: usize) -> Vec<i64> {
    let ids = u64::from(tokenizer.largest_id()) + 1;
    let numbers = sample::numbers().take(count);
    numbers.map(|number| (number % ids) as i64).collect()
}

fn row(states: &TokenStates, at: usize) -> Vec<f32> {
    let row = states.data.iter().skip(at * states.dim).take(states.dim);
    let length = row
        .clone()
        .map(|one| one * one)
        .sum::<f32>()
        .sqrt()
        .max(1e-12);
    row.map(|one| one / length).collect()
}

fn largest(pairs: impl Iterator<Item = (Vec<f32>, Vec<f32>)>) -> f32 {
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

/// The larger one; not a number counts as the largest.
fn largest_of(left: f32, right: f32) -> f32 {
    if left.is_nan() || right.is_nan() {
        return f32::NAN;
    }
    left.max(right)
}
