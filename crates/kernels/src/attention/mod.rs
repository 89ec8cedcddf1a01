//! Attention over all heads of a padded batch.

mod blocks;
mod head;
mod integers;
mod load;
mod one_block;
mod quantize;
mod scales;
mod softmax;

pub(super) use head::{Heads, attend_heads};

use super::isa::{self, Kind};
use super::linear::Granularity;
use crate::threads::{Parallel, Shared, ranges};

/// Tasks for each thread, so that none waits long for the others.
const TASKS_A_THREAD: usize = 6;

/// Attention as encoders use it; see the operator `Attention` of the fused
/// graphs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads, side by side in each row.
    pub heads: usize,
    /// Columns of each head.
    pub columns: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// How many positions tokens see to either side, where there is a bound.
    pub window: Option<usize>,
    /// What scores of unseen tokens are brought to. A token that sees nothing
    /// gets zeros if this is minus infinity, and the mean of all values if not.
    pub fill: f32,
}

/// Rows of `heads * columns`, perhaps with others beside them:
/// `[batch, length, stride]`, of which those from `offset` on are meant.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// All columns.
    pub data: &'a [f32],
    /// Columns of `data`.
    pub stride: usize,
    /// The first column that is meant.
    pub offset: usize,
}

impl<'a> Rows<'a> {
    /// The columns of a head in one row.
    #[inline(always)]
    fn row(&self, row: usize, first: usize, columns: usize) -> &'a [f32] {
        let start = row * self.stride + self.offset + first;
        &self.data[start..start + columns]
    }
}

/// The inputs of attention.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Tokens of each text.
    pub length: usize,
    /// Queries.
    pub queries: Rows<'a>,
    /// Keys.
    pub keys: Rows<'a>,
    /// Values.
    pub values: Rows<'a>,
    /// `[batch, length]`, 0 for tokens that nobody sees.
    pub mask: Option<&'a [i64]>,
    /// How queries and keys are turned by their positions.
    pub rotation: Option<Rotation<'a>>,
    /// The precision of products.
    pub products: Products,
}

/// In which precision attention multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Products {
    /// 32-bit floats.
    #[default]
    Floats,
    /// 8 bits, with scales for each row and column of a text, for queries, keys
    /// and values that come from quantized layers: little is lost beside what
    /// these lose.
    Integers,
}

impl Products {
    /// How queries, keys and values are multiplied that come from quantized
    /// layers, or not. Layers that are quantized as ONNX defines it are
    /// followed by products of floats, as there.
    pub fn of(is_quantized: bool, granularity: Granularity) -> Self {
        match (is_quantized, granularity) {
            (true, Granularity::Row) => Self::Integers,
            _ => Self::Floats,
        }
    }
}

/// Rotary embedding (Su et al., 2021): pairs of columns turned by an angle.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Cosines, `[length, columns]`.
    pub cos: &'a [f32],
    /// Sines, `[length, columns]`.
    pub sin: &'a [f32],
    /// Whether neighbours are turned together, rather than halves.
    pub interleaved: bool,
}

impl Attention {
    /// Writes the context, `[batch, length, heads * columns]`.
    ///
    /// # Panics
    /// If the slices are not of the sizes that the batch states.
    pub fn run(&self, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        self.run_on(Kind::best(), batch, context, threads);
    }

    fn run_on(&self, kind: Kind, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        let text = batch.length * self.heads * self.columns;
        let texts = context.len().checked_div(text).unwrap_or(0);
        assert_eq!(context.len(), texts * text, "whole texts");
        let heads = Heads {
            attention: self,
            batch,
            context: Shared::new(context),
        };
        let parts = match threads.threads() {
            1 => 1,
            threads => threads * TASKS_A_THREAD,
        };
        let parts = ranges(texts * self.heads, parts);
        threads.run(parts.len(), &|at| {
            isa::attend(kind, &heads, parts[at].clone())
        });
    }
}

impl Rotation<'_> {
    /// Turns a row of that position.
    #[inline(always)]
    pub fn turn(&self, row: &mut [f32], position: usize) {
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
