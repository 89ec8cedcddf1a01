//! From scores to what is written, where all that rows see is one block: a short
//! text, or a window.

use std::ops::Range;

use super::super::isa::{Isa, MOST_LANES, Vector};
use super::blocks::{BLOCK, multiply_block, of_tile, softmax, softmax_four};
use super::head::{Head, ROWS};

/// Rows of a head, and the block of tokens that they see. Columns of values are
/// whole panels.
pub(super) struct OneBlock<'a, W> {
    pub(super) head: &'a Head<'a>,
    pub(super) rows: Range<usize>,
    pub(super) tokens: Range<usize>,
    /// Of the block's tokens, whole panels, and how far rows are from each other.
    pub(super) scores: (&'a [f32], usize),
    /// Panels of the block's tokens, and tokens from one to the next.
    pub(super) values: (&'a [W], usize),
    /// One for each column of values.
    pub(super) scales: &'a [f32],
}

impl<W> OneBlock<'_, W> {
    /// # Safety
    /// There is room for a block of weights for each row, and for a tile.
    #[inline(always)]
    pub(super) unsafe fn finish<I: Isa<Weight = W>>(
        self,
        weights: *mut I::Level,
        [tile, zeros]: [&mut [i32]; 2],
    ) {
        let count = self.rows.len();
        // SAFETY: the caller's.
        let (totals, pitch) = unsafe { self.softmax::<I>(weights) };
        // All at a time: to divide takes long.
        let shares = totals.map(|total| 1. / total);
        let (head, columns) = (self.head, self.head.attention.columns);
        let first = head.text * head.batch.length + self.rows.start;
        let width = head.attention.heads * columns;
        let tokens = self.tokens.len().next_multiple_of(I::GROUP);
        for panel in (0..columns).step_by(I::COLUMNS) {
            let values = &self.values.0[panel * self.values.1..][..tokens * I::COLUMNS];
            let scales = self.scales[panel..panel + I::COLUMNS].as_ptr();
            let start = first * width + head.head * columns + panel;
            let end = start + (count - 1) * width + I::COLUMNS;
            let mut out = head.context.range(start..end);
            for part in (0..count).step_by(I::ROWS) {
                let rows = (count - part).min(I::ROWS);
                // SAFETY: the caller's.
                unsafe {
                    let weights = (weights.add(part * pitch).cast_const(), pitch);
                    multiply_block::<I>(weights, values, rows, [tile, zeros]);
                }
                let tile = [tile.as_ptr(), zeros.as_ptr()];
                for (at, share) in shares[part..part + rows].iter().enumerate() {
                    let share = I::Vector::splat(*share);
                    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                        // SAFETY: each head of each text is computed by one task
                        // alone, and has a panel in each row.
                        unsafe {
                            let sum = of_tile::<I>(tile, at, column);
                            let scale = I::Vector::load(scales.add(column));
                            sum.mul(scale).mul(share).store(out.add(column));
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
            // SAFETY: as above.
            let out = unsafe { head.context.part(start..start + columns) };
            head.write_without_weights(0, 0., out);
        }
    }

    /// Weights of rows, so far from each other, and their sums; 0 for rows that
    /// see nothing.
    ///
    /// # Safety
    /// There is room for a block of each row.
    #[inline(always)]
    unsafe fn softmax<I: Isa>(&self, levels: *mut I::Level) -> ([f32; MOST_LANES], usize) {
        let (count, size) = (self.rows.len(), self.tokens.len());
        let size = size.next_multiple_of(I::COLUMNS);
        let (scores, stride) = self.scores;
        assert!(count <= ROWS && scores.len() >= (count - 1) * stride + size);
        let mut tops = [I::Vector::splat(f32::NEG_INFINITY); MOST_LANES];
        // SAFETY: within the scores, which are whole panels.
        unsafe {
            let rows = (scores.as_ptr(), stride);
            match size / I::COLUMNS {
                // As short texts have them, without a loop.
                1 => row_tops::<I>(rows, 1, &mut tops[..count]),
                panels => row_tops::<I>(rows, panels, &mut tops[..count]),
            }
        }
        let tops = across(&tops, I::Vector::max);
        let mut totals = [I::Vector::splat(0.); MOST_LANES];
        let is_pair = size == 2 * I::Vector::LANES;
        let mut row = scores.as_ptr();
        // SAFETY: within the scores; the caller's.
        unsafe {
            if is_pair {
                // Two rows at a time; behind the last one it again.
                for at in (0..count).step_by(2) {
                    let rows = [0, 1].map(|next| next.min(count - 1 - at));
                    let bases = rows.map(|next| I::Vector::splat(tops[at + next]));
                    let [one, other] = rows.map(|next| row.add(next * stride));
                    let half = I::Vector::LANES;
                    let scores = [one, one.add(half), other, other.add(half)];
                    let scores = scores.map(|at| I::Vector::load(at));
                    let bases = [bases[0], bases[0], bases[1], bases[1]];
                    let sums = softmax_four::<I>(scores, bases, levels.add(at * size));
                    totals[at] = sums[0].add(sums[1]);
                    totals[at + 1] = sums[2].add(sums[3]);
                    row = row.wrapping_add(2 * stride);
                }
            } else {
                for (at, total) in totals.iter_mut().enumerate().take(count) {
                    let scores = std::slice::from_raw_parts(row, size);
                    *total = softmax::<I>(scores, tops[at], levels.add(at * BLOCK));
                    row = row.wrapping_add(stride);
                }
            }
        }
        let mut totals = across(&totals, I::Vector::add);
        for (total, top) in totals.iter_mut().zip(tops).take(count) {
            // Where nothing is seen, levels count for nothing.
            *total = if top == f32::NEG_INFINITY { 0. } else { *total };
        }
        totals[count..].fill(1.);
        (totals, if is_pair { size } else { BLOCK })
    }
}

/// The largest in each lane of rows of so many panels.
///
/// # Safety
/// There is a row for each, so far from the one before.
#[inline(always)]
unsafe fn row_tops<I: Isa>(
    (mut row, stride): (*const f32, usize),
    panels: usize,
    tops: &mut [I::Vector],
) {
    for top in tops {
        for panel in 0..panels {
            for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                // SAFETY: the caller's.
                let scores = unsafe { I::Vector::load(row.add(panel * I::COLUMNS + column)) };
                *top = scores.max(*top);
            }
        }
        row = row.wrapping_add(stride);
    }
}

/// What each vector comes to.
#[inline(always)]
fn across<V: Vector>(rows: &[V; MOST_LANES], by: impl Fn(V, V) -> V + Copy) -> [f32; MOST_LANES] {
    let (mut part, mut found) = ([rows[0]; MOST_LANES], [0f32; MOST_LANES]);
    for first in (0..ROWS).step_by(V::LANES) {
        part[..V::LANES].copy_from_slice(&rows[first..first + V::LANES]);
        // SAFETY: there is room for a vector.
        unsafe { V::across(&part, by).store(found.as_mut_ptr().add(first)) };
    }
    found
}
