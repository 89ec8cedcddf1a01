//! From scores to weights and sums of values, block by block.
//!
//! Weights have a scale for each block of tokens, relative to the largest of
//! the block (as in FlashAttention, Dao et al., 2022), so that many small ones
//! are not lost beside a large one far away.

use std::ops::Range;

use super::super::aligned::Aligned;
use super::super::exp::{ROUND, exp2, rough_exp2};
use super::super::isa::{Isa, LARGEST_TILE, Vector};

/// Most tokens of a block.
pub(super) const BLOCK: usize = 160;

/// A row on its way over the blocks.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// The largest score so far.
    top: f32,
    /// The sum of weights, in levels relative to it.
    total: f32,
    /// What the sums so far, and those of this block, are to be multiplied by.
    factors: [f32; 2],
}

impl Default for Row {
    fn default() -> Self {
        Self {
            top: f32::NEG_INFINITY,
            total: 0.,
            factors: [0.; 2],
        }
    }
}

impl Row {
    /// The sum of all weights.
    pub(super) fn total(&self) -> f32 {
        self.total
    }

    /// Takes the sum of a block's weights, relative to its largest score, in.
    #[inline(always)]
    pub(super) fn add(&mut self, top: f32, sum: f32) {
        if top == f32::NEG_INFINITY {
            // None is seen; whatever the levels are, they count for nothing.
            self.factors = [1., 0.];
            return;
        }
        if self.top == f32::NEG_INFINITY {
            *self = Self {
                top,
                total: sum,
                factors: [0., 1.],
            };
            return;
        }
        let new = self.top.max(top);
        self.factors = [exp2(self.top - new), exp2(top - new)];
        self.total = self.total * self.factors[0] + sum * self.factors[1];
        self.top = new;
    }
}

/// Makes weights of a block's scores, which are logarithms to base 2 and whole
/// panels, relative to that of `top`. What is returned adds up to their sum.
///
/// # Safety
/// There is room for a level each, rounded up to four vectors.
#[inline(always)]
pub(super) unsafe fn softmax<I: Isa>(scores: &[f32], top: f32, levels: *mut I::Level) -> I::Vector {
    let lanes = I::Vector::LANES;
    assert!(scores.len() <= BLOCK);
    let pairs = scores.len() / (2 * lanes);
    let mut sums = [I::Vector::splat(0.); 2];
    let base = I::Vector::splat(top);
    for four in 0..pairs.div_ceil(2) {
        let mut whole = [I::Vector::splat(0.); 4];
        // The last ones may be two.
        let count = (2 * pairs - 4 * four).min(4);
        for (part, whole) in whole.iter_mut().enumerate().take(count) {
            // SAFETY: within the scores.
            let score = unsafe { I::Vector::load(scores.as_ptr().add((4 * four + part) * lanes)) };
            *whole = level::<I>(score, base);
            sums[part % 2] = sums[part % 2].add(*whole);
        }
        // SAFETY: the caller's.
        unsafe { I::four_levels(whole, 0, levels.add(4 * four * lanes)) };
    }
    sums[0].add(sums[1])
}

/// The same of four vectors, each relative to a base of its own; the levels as
/// floats, too.
///
/// # Safety
/// There is room for a level each.
#[inline(always)]
pub(super) unsafe fn softmax_four<I: Isa>(
    scores: [I::Vector; 4],
    bases: [I::Vector; 4],
    levels: *mut I::Level,
) -> [I::Vector; 4] {
    let mut whole = scores;
    for (whole, base) in whole.iter_mut().zip(bases) {
        *whole = level::<I>(*whole, base);
    }
    // SAFETY: the caller's.
    unsafe { I::four_levels(whole, 0, levels) };
    whole
}

/// Levels of the weights of scores, relative to that of `base`.
#[inline(always)]
fn level<I: Isa>(scores: I::Vector, base: I::Vector) -> I::Vector {
    let round = I::Vector::splat(ROUND);
    let weight = rough_exp2(scores.sub(base));
    let weight = weight.mul_add(I::Vector::splat(I::LARGEST), round);
    weight.sub(round)
}

/// Products of a block's weights and the values of a panel, added to the sums
/// before, which are so far from row to row.
///
/// # Safety
/// There is a block of levels for each row.
#[inline(always)]
pub(super) unsafe fn combine<I: Isa>(
    weights: *const I::Level,
    (values, scales): (&[I::Weight], &[f32]),
    rows: &[Row],
    [tile, zeros]: &mut [Aligned<i32>; 2],
    (sums, stride, is_first): (&mut [f32], usize, bool),
) {
    assert!(sums.len() >= (rows.len() - 1) * stride + I::COLUMNS);
    assert!(scales.len() == I::COLUMNS, "a scale for each column");
    for (part, rows) in rows.chunks(I::ROWS).enumerate() {
        let first = part * I::ROWS;
        // SAFETY: the caller's.
        unsafe {
            let weights = (weights.add(first * BLOCK), BLOCK);
            multiply_block::<I>(weights, values, rows.len(), [tile, zeros]);
        }
        for (at, state) in rows.iter().enumerate() {
            let [before, now] = state.factors;
            let (before, now) = (I::Vector::splat(before), I::Vector::splat(now));
            for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                // SAFETY: within the tile, and the sums of a row.
                unsafe {
                    let sum = of_tile::<I>([tile.as_ptr(), zeros.as_ptr()], at, column);
                    let now = I::Vector::load(scales.as_ptr().add(column)).mul(now);
                    let place = sums.as_mut_ptr().add((first + at) * stride + column);
                    let sum = match is_first {
                        true => sum.mul(now),
                        false => sum.mul_add(now, I::Vector::load(place).mul(before)),
                    };
                    sum.store(place);
                }
            }
        }
    }
}

/// Products of a block's weights, rows so far from each other, and the values of a
/// panel, for as many rows as a tile has, and what is to be taken off them.
///
/// # Safety
/// There is a block of levels for each row.
#[inline(always)]
pub(super) unsafe fn multiply_block<I: Isa>(
    (weights, stride): (*const I::Level, usize),
    values: &[I::Weight],
    rows: usize,
    [tile, zeros]: [&mut [i32]; 2],
) {
    assert!(tile.len() >= LARGEST_TILE && zeros.len() >= LARGEST_TILE);
    if I::OFFSET != 0 {
        let ones = [I::ONE; BLOCK];
        sum_columns::<I>(&ones, values, zeros);
    }
    let groups = values.len() / I::COLUMNS / I::GROUP;
    // SAFETY: the caller's; there are as many values, and room for a tile.
    unsafe {
        let tile = tile.as_mut_ptr();
        I::integers(rows, weights, stride, values.as_ptr(), groups, tile);
    }
}

/// A vector of what [`multiply_block`] found.
///
/// # Safety
/// The tile has this row and a vector at this column.
#[inline(always)]
pub(super) unsafe fn of_tile<I: Isa>(
    [tile, zeros]: [*const i32; 2],
    row: usize,
    column: usize,
) -> I::Vector {
    // SAFETY: the caller's.
    unsafe {
        let products = tile.add(row * I::COLUMNS + column);
        match I::OFFSET {
            0 => I::Vector::from_plain_integers(products),
            // Weights are held less this.
            offset => I::Vector::from_integers(products, -offset, zeros.add(column)),
        }
    }
}

/// Sums of the columns of a panel, whose rows have a one each.
#[inline(always)]
pub(super) fn sum_columns<I: Isa>(ones: &[I::Level], panel: &[I::Weight], sums: &mut [i32]) {
    let groups = panel.len() / I::COLUMNS / I::GROUP;
    assert!(ones.len() >= groups * I::GROUP && sums.len() >= I::COLUMNS);
    // SAFETY: a level for each row of the panel, and room for a row of a tile.
    unsafe {
        let (ones, panel) = (ones.as_ptr(), panel.as_ptr());
        I::integers(1, ones, 0, panel, groups, sums.as_mut_ptr());
    }
}

/// Columns in blocks of like sizes, by whole panels; at least one.
pub(super) fn blocks<I: Isa>(seen: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let all = seen.start..seen.start + seen.len().next_multiple_of(I::COLUMNS);
    let count = all.len().div_ceil(BLOCK).max(1);
    let size = (all.len().div_ceil(count)).next_multiple_of(I::COLUMNS);
    let count = all.len().div_ceil(size.max(1)).max(1);
    (0..count).map(move |at| {
        let start = all.start + at * size;
        start..(start + size).min(all.end)
    })
}
