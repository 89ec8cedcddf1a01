//! Attention whose products have 8 bits, for models whose layers have.
//!
//! Queries and keys have a scale a row, values one a column, and weights one for
//! each block of tokens. All are of one text, so that none depends on what is
//! beside it in a batch.

use std::ops::Range;

use super::super::aligned::Aligned;
use super::super::isa::{Isa, LARGEST_TILE, MOST_LANES, Vector};
use super::blocks::{BLOCK, Row, blocks, combine, softmax, sum_columns};
use super::head::{Head, ROWS};
use super::one_block::OneBlock;
use super::quantize::{Levels, zero_of_queries};
use super::softmax::{hide, largest};

/// What is needed on the way.
#[derive(Default)]
pub(super) struct Workspace<W, L> {
    levels: Levels,
    /// Keys and values as products read them, where that is not how they are
    /// held.
    wide: [Vec<W>; 2],
    /// A level for each column of queries.
    ones: Aligned<L>,
    /// What the zero point of queries is multiplied by for each key, where
    /// levels are not centred.
    key_sums: Aligned<i32>,
    /// `[ROWS, tokens]`
    scores: Aligned<f32>,
    /// `[ROWS, BLOCK]`
    weights: Aligned<L>,
    /// `[ROWS, columns]`, rounded up to panels.
    sums: Aligned<f32>,
    /// Of whole numbers, and what is to be taken off them.
    tiles: [Aligned<i32>; 2],
}

impl Head<'_> {
    /// Says whether it was done: numbers that are not finite are left to
    /// floats. What `next` needs is brought near meanwhile.
    #[inline(always)]
    pub(super) fn attend_in_8_bits<I: Isa>(
        &self,
        next: Option<&Self>,
        space: &mut Workspace<I::Weight, I::Level>,
    ) -> bool {
        let length = self.batch.length;
        if !space.levels.load::<I>(self) {
            return false;
        }
        let tokens = self.seen.next_multiple_of(I::COLUMNS);
        let columns = self.attention.columns.next_multiple_of(I::COLUMNS);
        space.reserve::<I>(tokens, columns);
        let Workspace {
            levels,
            wide: [keys, values],
            ones,
            key_sums,
            scores,
            weights,
            sums,
            tiles,
        } = space;
        let keys = I::weights(&levels.keys, keys);
        let values = I::weights(&levels.values, values);
        let weights = weights.as_mut_ptr();
        let panels = keys.chunks_exact((levels.width * I::COLUMNS).max(1));
        for (keys, sums) in panels.zip(key_sums.chunks_exact_mut(I::COLUMNS)) {
            sum_columns::<I>(ones, keys, sums);
        }
        for first in (0..length).step_by(ROWS) {
            if let Some(next) = next {
                next.expect::<I>(first..first + ROWS);
            }
            let rows = first..(first + ROWS).min(length);
            let seen = self.columns_of::<I>(&rows);
            let whole = seen.len().next_multiple_of(I::COLUMNS);
            let of_keys = (&*levels, keys, &key_sums[..]);
            let to = (&mut tiles[0][..], &mut scores[..]);
            self.score_in_8_bits::<I>(of_keys, (rows.clone(), &seen), to);
            if self.attention.window.is_some() {
                for (at, row) in rows.clone().enumerate() {
                    let scores = &mut scores[at * tokens..][seen.start..][..whole];
                    hide(scores, self.visible(row, &seen), None);
                }
            }
            let is_one_block = whole <= BLOCK && columns == self.attention.columns;
            // Modules for browsers are kept small: there all goes block by block.
            if is_one_block && !cfg!(target_family = "wasm") {
                let block = OneBlock {
                    head: self,
                    rows,
                    tokens: seen.clone(),
                    scores: (&scores[seen.start..], tokens),
                    values: (&values[seen.start * I::COLUMNS..], levels.tokens),
                    scales: &levels.value_scales,
                };
                // SAFETY: there is room for a block of each row.
                unsafe {
                    let [tile, zeros] = tiles;
                    block.finish::<I>(weights, [tile, zeros]);
                }
                continue;
            }
            let mut state = [Row::default(); ROWS];
            for (which, block) in blocks::<I>(&seen).enumerate() {
                let of_row = |at: usize| &scores[at * tokens..][block.clone()];
                // In steps over all rows: none of them has to wait for itself.
                let mut tops = [0f32; ROWS];
                for (at, top) in tops.iter_mut().enumerate().take(rows.len()) {
                    *top = largest::<I::Vector>(of_row(at));
                }
                let mut totals = [I::Vector::splat(0.); ROWS];
                for (at, total) in totals.iter_mut().enumerate().take(rows.len()) {
                    // SAFETY: there is room for a block of each row, and behind it for
                    // levels that the next row overwrites.
                    *total = unsafe { softmax::<I>(of_row(at), tops[at], weights.add(at * BLOCK)) };
                }
                for (at, state) in state.iter_mut().enumerate().take(rows.len()) {
                    state.add(tops[at], totals[at].sum());
                }
                let state = &state[..rows.len()];
                for first in (0..columns).step_by(I::COLUMNS) {
                    let start = first * tokens + block.start * I::COLUMNS;
                    let values = &values[start..start + block.len() * I::COLUMNS];
                    let values = (values, &levels.value_scales[first..first + I::COLUMNS]);
                    let sums = (&mut sums[first..], columns, which == 0);
                    // SAFETY: there is a block of levels for each row.
                    unsafe {
                        combine::<I>(weights, values, state, tiles, sums);
                    }
                }
            }
            let totals = state.map(|row| row.total());
            for panel in 0..columns / I::COLUMNS {
                let sums = (&sums[panel * I::COLUMNS..], columns);
                self.finish_panel::<I>(rows.clone(), panel, &totals, sums);
            }
        }
        true
    }

    /// Products of queries and keys.
    #[inline(always)]
    fn score_in_8_bits<I: Isa>(
        &self,
        (levels, keys, key_sums): (&Levels, &[I::Weight], &[i32]),
        (rows, seen): (Range<usize>, &Range<usize>),
        (sums, scores): (&mut [i32], &mut [f32]),
    ) {
        let tokens = self.seen.next_multiple_of(I::COLUMNS);
        let width = levels.width;
        let queries = levels.queries::<I>();
        let zero = zero_of_queries::<I>() - I::OFFSET;
        assert!(sums.len() >= LARGEST_TILE, "room for a tile");
        for panel in seen.start / I::COLUMNS..seen.end.div_ceil(I::COLUMNS) {
            let first = panel * I::COLUMNS;
            let keys = &keys[first * width..][..I::COLUMNS * width];
            let scales = &levels.key_scales[first..first + I::COLUMNS];
            let bias = &levels.key_bias[first..first + I::COLUMNS];
            let zeros = key_sums.get(first..first + I::COLUMNS);
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
                            let sum = match zeros {
                                None => I::Vector::from_plain_integers(sums),
                                Some(zeros) => {
                                    let zeros = zeros.as_ptr().add(column);
                                    I::Vector::from_integers(sums, zero, zeros)
                                }
                            };
                            let scale = I::Vector::load(scales.as_ptr().add(column));
                            let bias = I::Vector::load(bias.as_ptr().add(column));
                            let out = out.as_mut_ptr().add(at * tokens + column);
                            sum.mul_add(scale.mul(factor), bias).store(out);
                        }
                    }
                }
            }
        }
    }
}

impl<W: Copy + Default, L: Copy + Default> Workspace<W, L> {
    /// Makes room for so many tokens and columns of values, both whole panels.
    #[inline(always)]
    fn reserve<I: Isa<Weight = W, Level = L>>(&mut self, tokens: usize, columns: usize) {
        self.ones.resize(self.levels.width, I::ONE);
        let summed = if I::CENTRED { 0 } else { tokens };
        self.key_sums.resize(summed, 0);
        self.scores.resize(ROWS * tokens, 0.);
        // With room behind the last row for levels of whole groups of vectors.
        let size = ROWS * BLOCK + 4 * MOST_LANES;
        self.weights.resize(size, L::default());
        self.sums.resize(ROWS * columns, 0.);
        for tile in &mut self.tiles {
            tile.resize(LARGEST_TILE, 0);
        }
    }
}
