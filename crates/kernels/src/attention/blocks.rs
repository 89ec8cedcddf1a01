//! From scores to weights and weighted sums of values, block by block of keys.
//!
//! Quantized weights have a scale for each block, relative to its maximum (as in
//! FlashAttention, Dao et al., 2022), so that many small ones are not rounded to 0
//! because of a large one far away.

use std::ops::Range;

use super::super::exp::{exp2, rough_exp2};
use super::super::isa::{Isa, Levels, MAX_TILE, Strided, Vector};
use super::super::rounding::ROUND;

/// The largest number of keys in a block.
pub(super) const BLOCK: usize = 160;

/// The state of a row's online softmax.
#[derive(Clone, Copy)]
pub(super) struct RowState {
    /// The maximum of the scores so far.
    maximum: f32,
    /// The sum of quantized weights so far, relative to it.
    total: f32,
    /// What sums of earlier blocks, and those of the last block, are multiplied by.
    factors: [f32; 2],
}

impl Default for RowState {
    fn default() -> Self {
        Self {
            maximum: f32::NEG_INFINITY,
            total: 0.,
            factors: [0.; 2],
        }
    }
}

impl RowState {
    /// The sum of all weights.
    pub(super) fn total(&self) -> f32 {
        self.total
    }

    /// Adds a block with this maximum and this sum of weights, relative to it.
    #[inline(always)]
    pub(super) fn add(&mut self, maximum: f32, sum: f32) {
        if maximum == f32::NEG_INFINITY {
            // No key of the block is visible, and its weights are meaningless.
            self.factors = [1., 0.];
            return;
        }
        if self.maximum == f32::NEG_INFINITY {
            *self = Self {
                maximum,
                total: sum,
                factors: [0., 1.],
            };
            return;
        }
        let new = self.maximum.max(maximum);
        self.factors = [exp2(self.maximum - new), exp2(maximum - new)];
        self.total = self.total * self.factors[0] + sum * self.factors[1];
        self.maximum = new;
    }
}

/// Quantized weights of rows.
#[derive(Clone, Copy)]
pub(super) struct WeightRows<L> {
    pub(super) first: *const L,
    /// Weights from one row to the next.
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// A panel of quantized values, for the keys of a block.
#[derive(Clone, Copy)]
pub(super) struct PanelValues<'a, W> {
    pub(super) values: &'a [W],
    /// One for each column.
    pub(super) scales: &'a [f32],
}

/// A panel of the sums of weighted values, over all blocks.
pub(super) struct PanelSums<'a, 'b> {
    /// Scratch space for the sums of one block.
    pub(super) tile: &'a mut Tile<'b>,
    pub(super) sums: &'a mut [f32],
    /// Floats from one row to the next.
    pub(super) stride: usize,
    /// Whether this is the first block, and sums are to be overwritten.
    pub(super) is_first: bool,
}

/// What [`multiply_block`] computes.
pub(super) struct Tile<'a> {
    /// `[ROWS, COLUMNS]`.
    pub(super) products: &'a mut [i32],
    /// `[COLUMNS]`: sums of values, to correct products for [`Isa::OFFSET`].
    pub(super) value_sums: &'a mut [i32],
}

/// Softmax of a row's scores in one block, which are base-2 logarithms and whole
/// panels: writes quantized weights relative to `maximum`, and returns a vector
/// that adds up to their sum.
///
/// # Safety
/// `weights` has room for one per score, rounded up to four vectors.
#[inline(always)]
pub(super) unsafe fn softmax<I: Isa>(
    isa: I,
    scores: &[f32],
    maximum: f32,
    weights: *mut I::Quantized,
) -> I::Vector {
    let lanes = I::Vector::LANES;
    assert!(scores.len() <= BLOCK);
    let pairs = scores.len() / (2 * lanes);
    let mut sums = [isa.splat(0.); 2];
    let maximum = isa.splat(maximum);
    for four in 0..pairs.div_ceil(2) {
        let mut whole = [isa.splat(0.); 4];
        // The last group may have two vectors.
        let count = (2 * pairs - 4 * four).min(4);
        for (part, whole) in whole.iter_mut().enumerate().take(count) {
            // SAFETY: `count` stops at the last whole pair of the scores.
            let score = unsafe { isa.load(scores.as_ptr().add((4 * four + part) * lanes)) };
            *whole = weight(isa, score, maximum);
            sums[part % 2] = sums[part % 2].add(*whole);
        }
        // SAFETY: the caller has room for every four vectors.
        unsafe { isa.quantize_four(whole, levels::<I>(), weights.add(4 * four * lanes)) };
    }
    sums[0].add(sums[1])
}

/// [`softmax`] of four vectors, each with a maximum of its own. Returns the weights
/// as floats, too.
///
/// # Safety
/// `weights` has room for four vectors.
#[inline(always)]
pub(super) unsafe fn softmax_four<I: Isa>(
    isa: I,
    scores: [I::Vector; 4],
    maxima: [I::Vector; 4],
    weights: *mut I::Quantized,
) -> [I::Vector; 4] {
    let mut whole = scores;
    for (whole, maximum) in whole.iter_mut().zip(maxima) {
        *whole = weight(isa, *whole, maximum);
    }
    // SAFETY: the caller has room for four vectors.
    unsafe { isa.quantize_four(whole, levels::<I>(), weights) };
    whole
}

/// Those of weights.
#[inline(always)]
fn levels<I: Isa>() -> Levels {
    Levels {
        zero: 0,
        largest: I::ATTENTION.unsigned,
    }
}

/// Weights relative to that of `maximum`, rounded to whole numbers up to
/// the largest.
#[inline(always)]
fn weight<I: Isa>(isa: I, scores: I::Vector, maximum: I::Vector) -> I::Vector {
    let round = isa.splat(ROUND);
    let weight = rough_exp2(scores.sub(maximum));
    let weight = weight.mul_add(isa.splat(levels::<I>().largest as f32), round);
    weight.sub(round)
}

/// Multiplies the weights of rows, [`BLOCK`] apart, by a panel of values, and adds
/// the products to `to`.
///
/// # Safety
/// `weights` has a row of the block for each of `states`.
#[inline(always)]
pub(super) unsafe fn combine<I: Isa>(
    isa: I,
    weights: *const I::Quantized,
    states: &[RowState],
    panel: PanelValues<'_, I::Weight>,
    to: PanelSums<'_, '_>,
) {
    let PanelSums {
        tile,
        sums,
        stride,
        is_first,
    } = to;
    let PanelValues { values, scales } = panel;
    assert!(sums.len() >= (states.len() - 1) * stride + I::COLUMNS);
    assert!(scales.len() == I::COLUMNS, "a scale for each column");
    for (part, states) in states.chunks(I::ROWS).enumerate() {
        let first = part * I::ROWS;
        // SAFETY: the caller has rows of weights for all states, `BLOCK` apart.
        unsafe {
            let weights = WeightRows {
                first: weights.add(first * BLOCK),
                stride: BLOCK,
                count: states.len(),
            };
            multiply_block(isa, weights, values, tile);
        }
        for (at, state) in states.iter().enumerate() {
            let [before, now] = state.factors;
            let (before, now) = (isa.splat(before), isa.splat(now));
            for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                // SAFETY: the tile has `states.len()` rows of `COLUMNS` products;
                // scales and sums were asserted to have as many.
                unsafe {
                    let sum = tile.pointers().load(isa, at, column);
                    let now = isa.load(scales.as_ptr().add(column)).mul(now);
                    let to = sums.as_mut_ptr().add((first + at) * stride + column);
                    let sum = if is_first {
                        sum.mul(now)
                    } else {
                        sum.mul_add(now, isa.load(to).mul(before))
                    };
                    sum.store(to);
                }
            }
        }
    }
}

/// Multiplies rows of weights by a panel of values into `tile`.
///
/// # Safety
/// There are at most [`Isa::ROWS`] rows, each with a weight for each row of the
/// panel.
#[inline(always)]
pub(super) unsafe fn multiply_block<I: Isa>(
    isa: I,
    weights: WeightRows<I::Quantized>,
    values: &[I::Weight],
    tile: &mut Tile<'_>,
) {
    let Tile {
        products,
        value_sums,
    } = tile;
    assert!(products.len() >= MAX_TILE && value_sums.len() >= MAX_TILE);
    if I::OFFSET != 0 {
        let ones = [I::ONE; BLOCK];
        sum_columns(isa, &ones, values, value_sums);
    }
    let groups = values.len() / I::COLUMNS / I::GROUP;
    // SAFETY: the caller's rows have a weight for each row of `values`; the
    // assertion leaves room for a tile.
    unsafe {
        let WeightRows {
            first,
            stride,
            count,
        } = weights;
        let products = products.as_mut_ptr();
        isa.multiply_weights(
            count,
            Strided { first, stride },
            values.as_ptr(),
            groups,
            products,
        );
    }
}

/// The same as [`Tile`], for loops that store floats: a compiler would reload
/// references after each store.
#[derive(Clone, Copy)]
pub(super) struct TilePointers {
    products: *const i32,
    value_sums: *const i32,
}

impl Tile<'_> {
    #[inline(always)]
    pub(super) fn pointers(&self) -> TilePointers {
        TilePointers {
            products: self.products.as_ptr(),
            value_sums: self.value_sums.as_ptr(),
        }
    }
}

impl TilePointers {
    /// A vector of a row's products.
    ///
    /// # Safety
    /// The tile is not in use elsewhere, has this row, and `column` is a multiple of
    /// `LANES` below `COLUMNS`.
    #[inline(always)]
    pub(super) unsafe fn load<I: Isa>(self, isa: I, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller passes the start of a vector of the tile.
        unsafe {
            let products = self.products.add(row * I::COLUMNS + column);
            match I::OFFSET {
                0 => isa.load_integers(products),
                offset => isa.load_integers_less(products, -offset, self.value_sums.add(column)),
            }
        }
    }
}

/// Sums the columns of a panel; `ones` has a 1 for each of its rows.
#[inline(always)]
pub(super) fn sum_columns<I: Isa>(
    isa: I,
    ones: &[I::Quantized],
    panel: &[I::Weight],
    sums: &mut [i32],
) {
    let groups = panel.len() / I::COLUMNS / I::GROUP;
    assert!(ones.len() >= groups * I::GROUP && sums.len() >= I::COLUMNS);
    // SAFETY: the assertion leaves a one for each row of the panel, and room for one
    // row of a tile.
    unsafe {
        let (ones, panel) = (ones.as_ptr(), panel.as_ptr());
        isa.multiply_integers(
            1,
            Strided {
                first: ones,
                stride: 0,
            },
            panel,
            groups,
            sums.as_mut_ptr(),
        );
    }
}

/// Divides keys into blocks of about the same size, in whole panels; at least one.
pub(super) fn blocks<I: Isa>(visible: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let all = visible.start..visible.start + visible.len().next_multiple_of(I::COLUMNS);
    let count = all.len().div_ceil(BLOCK).max(1);
    let size = (all.len().div_ceil(count)).next_multiple_of(I::COLUMNS);
    let count = all.len().div_ceil(size.max(1)).max(1);
    (0..count).map(move |at| {
        let start = all.start + at * size;
        start..(start + size).min(all.end)
    })
}
