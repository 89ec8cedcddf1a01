//! From scores to outputs in one pass, where all keys that rows see are one block:
//! those of a short text, or of a window.
//!
//! The bench `kernels` measures it in the group `one block`.

use super::super::isa::{Isa, MAX_LANES, Strided, Vector};
use super::blocks::{BLOCK, Tile, WeightRows, multiply_block, softmax, softmax_four};
use super::head::{Head, ROWS, RowBlock};
use super::rows::StridedRows;

/// Rows of a head, and the keys that they see. The columns of values are whole
/// panels.
pub(super) struct OneBlock<'a, W> {
    pub(super) head: &'a Head<'a>,
    pub(super) block: &'a RowBlock,
    /// Whole panels of the block's keys.
    pub(super) scores: StridedRows<'a>,
    /// Panels of values, from the block's first key on.
    pub(super) values: &'a [W],
    /// Rows from one panel of values to the next.
    pub(super) panel_rows: usize,
    /// One for each column of values.
    pub(super) scales: &'a [f32],
}

/// What is known about the weights of rows.
struct WeightSums {
    /// The sum of each row's weights; 0 if it sees nothing.
    totals: [f32; MAX_LANES],
    /// Weights from one row to the next.
    stride: usize,
}

impl<W> OneBlock<'_, W> {
    /// Writes the context of all rows.
    ///
    /// # Safety
    /// `weights` has room for [`ROWS`] rows of [`BLOCK`], and four vectors.
    #[inline(always)]
    pub(super) unsafe fn finish<I: Isa<Weight = W>>(
        self,
        isa: I,
        weights: *mut I::Quantized,
        tile: &mut Tile<'_>,
    ) {
        let count = self.block.rows.len();
        // SAFETY: the caller has room for the weights.
        let WeightSums { totals, stride } = unsafe { self.softmax(isa, weights) };
        // In a loop of their own, which is vectorized: divisions are slow.
        let inverses = totals.map(|total| 1. / total);
        let (head, columns) = (self.head, self.head.attention.columns);
        let first = head.text * head.batch.length + self.block.rows.start;
        let width = head.attention.heads * columns;
        let keys = self.block.visible.len().next_multiple_of(I::GROUP);
        for panel in (0..columns).step_by(I::COLUMNS) {
            let values = &self.values[panel * self.panel_rows..][..keys * I::COLUMNS];
            let scales = self.scales[panel..panel + I::COLUMNS].as_ptr();
            let start = first * width + head.head * columns + panel;
            let end = start + (count - 1) * width + I::COLUMNS;
            let mut out = head.context.range(start..end);
            for part in (0..count).step_by(I::ROWS) {
                let rows = (count - part).min(I::ROWS);
                // SAFETY: `softmax` has written weights of `count` rows, which are
                // whole panels of keys.
                unsafe {
                    let weights = WeightRows {
                        first: weights.add(part * stride).cast_const(),
                        stride,
                        count: rows,
                    };
                    multiply_block(isa, weights, values, tile);
                }
                let tile = tile.pointers();
                for (at, inverse) in inverses[part..part + rows].iter().enumerate() {
                    let inverse = isa.splat(*inverse);
                    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                        // SAFETY: `Attention::run` gives each head of each text to one
                        // task, and `range` checked that each row has a panel of the
                        // context. Tile and scales are a panel wide.
                        unsafe {
                            let sum = tile.load(isa, at, column);
                            let scale = isa.load(scales.add(column));
                            sum.mul(scale).mul(inverse).store(out.add(column));
                        }
                    }
                    out = out.wrapping_add(width);
                }
            }
        }
        if !totals.contains(&0.) {
            return;
        }
        for at in (0..count).filter(|&at| totals[at] == 0.) {
            let start = (first + at) * width + head.head * columns;
            // SAFETY: `Attention::run` gives each head of each text to one task, which
            // has no other reference to the context here.
            let out = unsafe { head.context.part(start..start + columns) };
            head.write_unweighted(0, 0., out);
        }
    }

    /// Writes quantized weights of all rows.
    ///
    /// # Safety
    /// `weights` has room for [`ROWS`] rows of [`BLOCK`], and four vectors.
    #[inline(always)]
    unsafe fn softmax<I: Isa>(&self, isa: I, weights: *mut I::Quantized) -> WeightSums {
        let (count, size) = (self.block.rows.len(), self.block.visible.len());
        let size = size.next_multiple_of(I::COLUMNS);
        let StridedRows {
            data: scores,
            stride,
        } = self.scores;
        assert!(count <= ROWS && scores.len() >= (count - 1) * stride + size);
        let mut maxima = [isa.splat(f32::NEG_INFINITY); MAX_LANES];
        // SAFETY: the assertion leaves `count` rows of `size` scores, which are whole
        // panels.
        unsafe {
            let row = Strided {
                first: scores.as_ptr(),
                stride,
            };
            match size / I::COLUMNS {
                // Unrolled for short texts.
                1 => row_maxima(isa, row, 1, &mut maxima[..count]),
                panels => row_maxima(isa, row, panels, &mut maxima[..count]),
            }
        }
        let maxima = reduce(&maxima, I::Vector::max);
        let mut totals = [isa.splat(0.); MAX_LANES];
        let is_pair = size == 2 * I::Vector::LANES;
        let mut row = scores.as_ptr();
        // SAFETY: the assertion leaves `count` rows of `size` scores. The caller has
        // room for rows of `BLOCK` weights, and four vectors behind the last one;
        // those that a row writes too many, the next one overwrites.
        unsafe {
            if is_pair {
                // Two rows at a time; the last one twice if their number is odd.
                for at in (0..count).step_by(2) {
                    let rows = [0, 1].map(|next| next.min(count - 1 - at));
                    let maxima = rows.map(|next| isa.splat(maxima[at + next]));
                    let [left, right] = rows.map(|next| row.add(next * stride));
                    let half = I::Vector::LANES;
                    let scores = [left, left.add(half), right, right.add(half)];
                    let scores = scores.map(|at| isa.load(at));
                    let maxima = [maxima[0], maxima[0], maxima[1], maxima[1]];
                    let sums = softmax_four(isa, scores, maxima, weights.add(at * size));
                    totals[at] = sums[0].add(sums[1]);
                    totals[at + 1] = sums[2].add(sums[3]);
                    row = row.wrapping_add(2 * stride);
                }
            } else {
                for (at, total) in totals.iter_mut().enumerate().take(count) {
                    let scores = std::slice::from_raw_parts(row, size);
                    *total = softmax(isa, scores, maxima[at], weights.add(at * BLOCK));
                    row = row.wrapping_add(stride);
                }
            }
        }
        let mut totals = reduce(&totals, I::Vector::add);
        for (total, maximum) in totals.iter_mut().zip(maxima).take(count) {
            // If no key is visible, weights are meaningless.
            *total = if maximum == f32::NEG_INFINITY {
                0.
            } else {
                *total
            };
        }
        totals[count..].fill(1.);
        WeightSums {
            totals,
            stride: if is_pair { size } else { BLOCK },
        }
    }
}

/// The maximum in each lane of rows of `panels` panels.
///
/// # Safety
/// There is a row for each of `maxima`.
#[inline(always)]
unsafe fn row_maxima<I: Isa>(
    isa: I,
    row: Strided<*const f32>,
    panels: usize,
    maxima: &mut [I::Vector],
) {
    let mut first = row.first;
    for maximum in maxima {
        for panel in 0..panels {
            for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                // SAFETY: the caller has a row of `panels` panels for each maximum.
                let scores = unsafe { isa.load(first.add(panel * I::COLUMNS + column)) };
                *maximum = scores.max(*maximum);
            }
        }
        first = first.wrapping_add(row.stride);
    }
}

/// Reduces each vector to a scalar.
#[inline(always)]
fn reduce<V: Vector>(rows: &[V; MAX_LANES], by: impl Fn(V, V) -> V + Copy) -> [f32; MAX_LANES] {
    let (mut part, mut scalars) = ([rows[0]; MAX_LANES], [0f32; MAX_LANES]);
    for first in (0..ROWS).step_by(V::LANES) {
        part[..V::LANES].copy_from_slice(&rows[first..first + V::LANES]);
        // SAFETY: `LANES` divides `MAX_LANES`, so a vector fits behind `first`.
        unsafe { V::reduce_rows(&part, by).store(scalars.as_mut_ptr().add(first)) };
    }
    scalars
}
