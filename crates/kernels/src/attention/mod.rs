//! Attention over all heads of a padded batch.

mod blocks;
mod floats;
mod head;
mod heads;
mod integers;
mod load;
mod one_block;
mod quantize;
mod rows;
mod scales;
mod softmax;

use head::Heads;
use heads::attend;

use super::isa::InstructionSet;
use super::linear::Granularity;
use crate::threads::{Parallel, Shared, ranges};

/// Several tasks per thread, so that threads finish at about the same time.
const TASKS_PER_THREAD: usize = 6;

/// Scaled dot-product attention (Vaswani et al., 2017) without causal mask, as
/// encoders use it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads, side by side in each row.
    pub heads: usize,
    /// Columns of each head.
    pub columns: usize,
    /// Factor of the scores, such as `1 / sqrt(columns)`.
    pub scale: f32,
    /// How many positions a token sees on either side; `None` for all.
    pub window: Option<usize>,
    /// The score of masked keys. It decides what a token gets if all of its keys are
    /// masked: zeros if it is minus infinity, else the mean of all values.
    pub fill: f32,
}

/// `[batch, length, heads * columns]`, as columns of a matrix `[batch, length,
/// stride]` that start at `offset`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The whole matrix.
    pub data: &'a [f32],
    /// Columns of `data`.
    pub stride: usize,
    /// The first column of these rows.
    pub offset: usize,
}

impl<'a> Rows<'a> {
    /// `columns` of one row, from `first` on.
    #[inline(always)]
    fn row(&self, row: usize, first: usize, columns: usize) -> &'a [f32] {
        let start = row * self.stride + self.offset + first;
        &self.data[start..start + columns]
    }
}

/// The inputs of attention.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Tokens of each text, with padding.
    pub length: usize,
    /// Queries.
    pub queries: Rows<'a>,
    /// Keys.
    pub keys: Rows<'a>,
    /// Values.
    pub values: Rows<'a>,
    /// `[batch, length]`, 0 for tokens to be ignored, such as padding.
    pub mask: Option<&'a [i64]>,
    /// Rotary embedding of queries and keys.
    pub rotation: Option<Rotation<'a>>,
    /// The precision of both products.
    pub precision: Precision,
}

/// The precision of attention's products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Fp32,
    /// 8 bits, with a scale for each query and key and each column of values. For
    /// inputs that come from quantized layers: the loss is small beside theirs.
    Int8,
}

impl Precision {
    /// The precision for inputs from layers with this quantization, if any. ONNX's
    /// own quantized graphs, which have a scale per tensor, multiply in floats.
    pub fn after(quantization: Option<Granularity>) -> Self {
        match quantization {
            Some(Granularity::Row) => Self::Int8,
            _ => Self::Fp32,
        }
    }
}

/// Rotary embedding (Su et al., 2021): rotates pairs of columns by angles that depend
/// on the position.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Cosines, `[length, columns]`.
    pub cos: &'a [f32],
    /// Sines, `[length, columns]`.
    pub sin: &'a [f32],
    /// Whether pairs are neighbours, rather than a column of each half.
    pub interleaved: bool,
}

impl Attention {
    /// Writes the context, `[batch, length, heads * columns]`.
    ///
    /// # Panics
    /// If slices do not have the sizes that the batch states.
    pub fn run(&self, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        self.run_on(InstructionSet::best(), batch, context, threads);
    }

    fn run_on(
        &self,
        set: InstructionSet,
        batch: &Batch<'_>,
        context: &mut [f32],
        threads: &dyn Parallel,
    ) {
        let text_size = batch.length * self.heads * self.columns;
        let texts = context.len().checked_div(text_size).unwrap_or(0);
        assert_eq!(context.len(), texts * text_size, "context of whole texts");
        let heads = Heads {
            attention: self,
            batch,
            context: Shared::new(context),
        };
        let parts = match threads.threads() {
            1 => 1,
            threads => threads * TASKS_PER_THREAD,
        };
        let parts = ranges(texts * self.heads, parts);
        threads.run(parts.len(), &|at| attend(set, &heads, parts[at].clone()));
    }
}

impl Rotation<'_> {
    /// Rotates the row of a head at `position`.
    #[inline(always)]
    pub fn rotate(&self, row: &mut [f32], position: usize) {
        let columns = row.len();
        let angles = position * columns..(position + 1) * columns;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        let half = columns / 2;
        if self.interleaved {
            for at in 0..half {
                let (left, right) = (2 * at, 2 * at + 1);
                let (x, y) = (row[left], row[right]);
                row[left] = x * cos[left] - y * sin[left];
                row[right] = y * cos[right] + x * sin[right];
            }
            return;
        }
        let (lefts, rights) = row.split_at_mut(half);
        for (at, (left, right)) in lefts.iter_mut().zip(rights).enumerate() {
            let (x, y) = (*left, *right);
            *left = x * cos[at] - y * sin[at];
            *right = y * cos[at + half] + x * sin[at + half];
        }
    }
}

#[cfg(test)]
mod tests;
