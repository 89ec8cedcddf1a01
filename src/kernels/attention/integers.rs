//! Attention whose products have 8 bits, for models whose layers have.
//!
//! Queries and keys have a scale a row, values one a column, and weights one for
//! each block of tokens, relative to the largest of the block (as in
//! FlashAttention, Dao et al., 2022), so that many small weights are not lost
//! beside a large one far away. All are of one text, so that none depends on
//! what is beside it in a batch.

use std::ops::Range;

use super::super::exp::{ROUND, exp2, rough_exp2};
use super::super::isa::{Isa, LARGEST_TILE, MOST_LANES, Vector};
use super::head::{Head, ROWS};
use super::levels::Levels;
use super::weigh::{hide, largest};

/// Most tokens of a block.
const BLOCK: usize = 160;

/// What is needed on the way.
#[derive(Default)]
pub(super) struct Workspace<W> {
    levels: Levels,
    /// Keys and values as products read them, where that is not how they are
    /// held.
    wide: [Vec<W>; 2],
    /// `[ROWS, tokens]`
    scores: Vec<f32>,
    /// `[ROWS, BLOCK]` of the instruction set's levels.
    weights: Vec<u8>,
    /// `[ROWS, columns]`, rounded up to panels.
    sums: Vec<f32>,
    /// Of whole numbers, and what is to be taken off them.
    tiles: [Vec<i32>; 2],
}

/// A row on its way over the blocks.
#[derive(Clone, Copy)]
struct Row {
    /// The largest score so far.
    top: f32,
    /// The sum of weights, in levels relative to it.
    total: f32,
    /// What the sums so far, and those of this block, are to be multiplied by.
    factors: [f32; 2],
}

impl Head<'_> {
    /// Says whether it was done: numbers that are not finite are left to
    /// floats. What `next` needs is brought near meanwhile.
    #[inline(always)]
    pub(super) fn attend_in_8_bits<I: Isa>(
        &self,
        next: Option<&Self>,
        space: &mut Workspace<I::Weight>,
    ) -> bool {
        let length = self.batch.length;
        if !space.levels.load::<I>(self) {
            return false;
        }
        let tokens = self.seen.next_multiple_of(I::COLUMNS);
        let columns = self.attention.columns.next_multiple_of(I::COLUMNS);
        space.scores.resize(ROWS * tokens, 0.);
        // With room behind the last row for levels of whole groups of vectors.
        let size = (ROWS * BLOCK + 4 * MOST_LANES) * size_of::<I::Level>();
        space.weights.resize(size, 0);
        space.sums.resize(ROWS * columns, 0.);
        for tile in &mut space.tiles {
            tile.resize(LARGEST_TILE, 0);
        }
        let Workspace {
            levels,
            scores,
            tiles,
            ..
        } = space;
        let [keys, values] = &mut space.wide;
        let keys = I::weights(&levels.keys, keys);
        let values = I::weights(&levels.values, values);
        let weights = space.weights.as_mut_ptr().cast::<I::Level>();
        for first in (0..length).step_by(ROWS) {
            if let Some(next) = next {
                next.expect::<I>(first..first + ROWS);
            }
            let rows = first..(first + ROWS).min(length);
            let seen = self.columns_of::<I>(&rows);
            let [tile, _] = &mut *tiles;
            self.score_in_8_bits::<I>(levels, keys, (rows.clone(), &seen), (tile, scores));
            let mut state = [Row {
                top: f32::NEG_INFINITY,
                total: 0.,
                factors: [0.; 2],
            }; ROWS];
            for (at, row) in rows.clone().enumerate() {
                let scores = &mut scores[at * tokens..][seen.start..];
                let scores = &mut scores[..seen.len().next_multiple_of(I::COLUMNS)];
                let holes = self.holes.map(|mask| &mask[seen.clone()]);
                hide(scores, self.visible(row, &seen), holes);
            }
            space.sums.fill(0.);
            for block in blocks::<I>(&seen) {
                for (at, state) in state.iter_mut().enumerate().take(rows.len()) {
                    let scores = &scores[at * tokens..][block.clone()];
                    // SAFETY: there is room for a block of each row, and behind it for
                    // levels that the next row overwrites.
                    state.weigh::<I>(scores, unsafe { weights.add(at * BLOCK) });
                }
                let state = &state[..rows.len()];
                for first in (0..columns).step_by(I::COLUMNS) {
                    let start = first * tokens + block.start * I::COLUMNS;
                    let values = &values[start..start + block.len() * I::COLUMNS];
                    let sums = &mut space.sums[first..];
                    // SAFETY: there is a block of levels for each row.
                    unsafe {
                        combine_in_8_bits::<I>(weights, values, state, tiles, (sums, columns));
                    }
                }
            }
            for (at, position) in rows.enumerate() {
                let sums = &mut space.sums[at * columns..(at + 1) * columns];
                for (sum, scale) in sums.iter_mut().zip(&levels.value_scales) {
                    *sum *= scale;
                }
                for (panel, sums) in sums.chunks_exact(I::COLUMNS).enumerate() {
                    self.finish::<I>(position, panel * I::COLUMNS, sums, state[at].total);
                }
            }
        }
        true
    }

    /// Products of queries and keys.
    #[inline(always)]
    fn score_in_8_bits<I: Isa>(
        &self,
        levels: &Levels,
        keys: &[I::Weight],
        (rows, seen): (Range<usize>, &Range<usize>),
        (sums, scores): (&mut [i32], &mut [f32]),
    ) {
        let tokens = self.seen.next_multiple_of(I::COLUMNS);
        let width = levels.width;
        let queries = levels.queries::<I>();
        assert!(sums.len() >= LARGEST_TILE, "room for a tile");
        for panel in seen.start / I::COLUMNS..seen.end.div_ceil(I::COLUMNS) {
            let first = panel * I::COLUMNS;
            let keys = &keys[first * width..][..I::COLUMNS * width];
            let scales = &levels.key_scales[first..first + I::COLUMNS];
            let zeros = &levels.key_zeros[first..first + I::COLUMNS];
            for row in rows.clone().step_by(I::ROWS) {
                let count = (rows.end - row).min(I::ROWS);
                // SAFETY: there are levels for all rows, a panel is whole, and
                // the tile has room for the largest.
                unsafe {
                    let (queries, keys) = (queries.add(row * width), keys.as_ptr());
                    let groups = width / I::GROUP;
                    I::integers(count, queries, width, keys, groups, sums.as_mut_ptr());
                }
                let start = (row - rows.start) * tokens + first;
                let out = &mut scores[start..][..(count - 1) * tokens + I::COLUMNS];
                let factors = &levels.query_scales[row..row + count];
                for (at, factor) in factors.iter().enumerate() {
                    let factor = I::Vector::splat(*factor);
                    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                        // SAFETY: all are a panel wide, which is whole vectors.
                        unsafe {
                            let sums = sums.as_ptr().add(at * I::COLUMNS + column);
                            let zeros = zeros.as_ptr().add(column);
                            let sum = match I::CENTRED {
                                true => I::Vector::from_plain_integers(sums),
                                false => I::Vector::from_integers(sums, 1, zeros),
                            };
                            let scale = I::Vector::load(scales.as_ptr().add(column));
                            let out = out.as_mut_ptr().add(at * tokens + column);
                            sum.mul(scale.mul(factor)).store(out);
                        }
                    }
                }
            }
        }
    }
}

/// Products of a block's weights and the values of a panel, added to the sums
/// before, which are so far from row to row.
///
/// # Safety
/// There is a block of levels for each row.
#[inline(always)]
unsafe fn combine_in_8_bits<I: Isa>(
    weights: *const I::Level,
    values: &[I::Weight],
    rows: &[Row],
    [tile, zeros]: &mut [Vec<i32>; 2],
    (sums, stride): (&mut [f32], usize),
) {
    let groups = values.len() / I::COLUMNS / I::GROUP;
    assert!(tile.len() >= LARGEST_TILE && zeros.len() >= LARGEST_TILE);
    if I::OFFSET != 0 {
        let ones = [I::ONE; BLOCK];
        // SAFETY: a level for each token, and room for a tile.
        unsafe {
            let (ones, values) = (ones.as_ptr(), values.as_ptr());
            I::integers(1, ones, BLOCK, values, groups, zeros.as_mut_ptr());
        }
    }
    assert!(sums.len() >= (rows.len() - 1) * stride + I::COLUMNS);
    for (part, rows) in rows.chunks(I::ROWS).enumerate() {
        let first = part * I::ROWS;
        // SAFETY: the caller's; there are as many values, and room for a tile.
        unsafe {
            let (weights, values) = (weights.add(first * BLOCK), values.as_ptr());
            let tile = tile.as_mut_ptr();
            I::integers(rows.len(), weights, BLOCK, values, groups, tile);
        }
        for (at, state) in rows.iter().enumerate() {
            let [before, now] = state.factors;
            let (before, now) = (I::Vector::splat(before), I::Vector::splat(now));
            for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                // SAFETY: within the tile, and the sums of a row.
                unsafe {
                    let products = tile.as_ptr().add(at * I::COLUMNS + column);
                    let sum = match I::OFFSET {
                        0 => I::Vector::from_plain_integers(products),
                        // Weights are held less this.
                        offset => {
                            let zeros = zeros.as_ptr().add(column);
                            I::Vector::from_integers(products, -offset, zeros)
                        }
                    };
                    let place = sums.as_mut_ptr().add((first + at) * stride + column);
                    let before = I::Vector::load(place).mul(before);
                    sum.mul_add(now, before).store(place);
                }
            }
        }
    }
}

/// Columns in blocks of like sizes, by whole panels.
fn blocks<I: Isa>(seen: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let all = seen.start..seen.start + seen.len().next_multiple_of(I::COLUMNS);
    let count = all.len().div_ceil(BLOCK).max(1);
    let size = (all.len().div_ceil(count)).next_multiple_of(I::COLUMNS);
    let starts = all.clone().step_by(size.max(1));
    starts.map(move |start| start..(start + size).min(all.end))
}

impl Row {
    /// Makes weights of a block's scores, which are logarithms to base 2 and
    /// whole panels.
    ///
    /// # Safety
    /// There is room for a level each, rounded up to four vectors.
    #[inline(always)]
    fn weigh<I: Isa>(&mut self, scores: &[f32], levels: *mut I::Level) {
        let lanes = I::Vector::LANES;
        assert!(scores.len() <= BLOCK);
        let top = largest::<I::Vector>(scores);
        if top == f32::NEG_INFINITY {
            // None is seen; whatever the levels are, they count for nothing.
            self.factors = [1., 0.];
            return;
        }
        let pairs = scores.len() / (2 * lanes);
        let mut sums = [I::Vector::splat(0.); 2];
        let (base, round) = (I::Vector::splat(top), I::Vector::splat(ROUND));
        for four in 0..pairs.div_ceil(2) {
            let mut whole = [I::Vector::splat(0.); 4];
            // The last ones may be two.
            let count = (2 * pairs - 4 * four).min(4);
            for (part, whole) in whole.iter_mut().enumerate().take(count) {
                // SAFETY: within the scores.
                let score =
                    unsafe { I::Vector::load(scores.as_ptr().add((4 * four + part) * lanes)) };
                let weight = rough_exp2(score.sub(base));
                let weight = weight.mul_add(I::Vector::splat(I::LARGEST), round);
                *whole = weight.sub(round);
                sums[part % 2] = sums[part % 2].add(*whole);
            }
            // SAFETY: the caller's.
            unsafe { I::four_levels(whole, 0, levels.add(4 * four * lanes)) };
        }
        let sum = sums[0].add(sums[1]).sum();
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
