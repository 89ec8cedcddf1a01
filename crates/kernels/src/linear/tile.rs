//! Tiles whose sums are known, and what belongs to their columns.

use std::marker::PhantomData;

use super::super::isa::{Isa, LARGEST_TILE, Vector};
use super::Columns;
use super::quantize::RowScale;

/// What belongs to the columns of a panel.
pub(super) struct OfPanel<'a> {
    scales: &'a [f32],
    bias: &'a [f32],
    zeros: Option<&'a [i32]>,
    /// One for each block of rows, `[blocks, COLUMNS]`.
    sums: Option<&'a [i32]>,
}

impl<'a> OfPanel<'a> {
    pub(super) fn new<I: Isa>(
        columns: &'a Columns,
        bias: &'a [f32],
        panel: usize,
        blocks: usize,
    ) -> Self {
        let of_panel = panel * I::COLUMNS..(panel + 1) * I::COLUMNS;
        let of_blocks = of_panel.start * blocks..of_panel.end * blocks;
        Self {
            scales: &columns.scales[of_panel.clone()],
            bias: &bias[of_panel.clone()],
            zeros: columns.zeros.get(of_panel),
            sums: columns.sums.get(of_blocks),
        }
    }

    /// Takes off what zero points of weights add to sums of rows, which is
    /// nothing in most models.
    #[inline(always)]
    pub(super) fn take_off_zeros<I: Isa>(
        &self,
        scales: &[RowScale],
        blocks: usize,
        sums: &mut [i32],
    ) {
        let Some(zeros) = self.zeros else {
            return;
        };
        let scales = scales.iter().step_by(blocks);
        for (sums, scale) in sums.chunks_exact_mut(I::COLUMNS).zip(scales) {
            for (sum, zero) in sums.iter_mut().zip(zeros) {
                *sum -= zero * scale.sum;
            }
        }
    }
}

/// A tile whose sums are known.
pub(super) trait Tile<V> {
    /// Whether values are rounded to fewer bits than floats have, so that what
    /// follows may be, too.
    const IS_ROUGH: bool;
    type Strip: Strip<V>;

    /// A vector of columns of all rows.
    ///
    /// # Safety
    /// The panel has a vector at this column.
    unsafe fn strip(&self, column: usize) -> Self::Strip;
}

/// A vector of columns of all rows of a tile, with what belongs to the columns:
/// read once, and not again after each write, which could be to the same memory
/// for all that a compiler knows.
pub(super) trait Strip<V> {
    /// What a row of it comes to, before its activation.
    ///
    /// # Safety
    /// The tile has this row, and all that it borrows is still there.
    unsafe fn value(&self, row: usize) -> V;
}

pub(super) struct FloatTile<'a, I> {
    /// `[ROWS, COLUMNS]`
    pub(super) sums: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) isa: PhantomData<I>,
}

pub(super) struct FloatStrip<I: Isa> {
    sums: *const f32,
    bias: I::Vector,
}

impl<I: Isa> Tile<I::Vector> for FloatTile<'_, I> {
    const IS_ROUGH: bool = false;
    type Strip = FloatStrip<I>;

    #[inline(always)]
    unsafe fn strip(&self, column: usize) -> FloatStrip<I> {
        // SAFETY: the caller's.
        unsafe {
            FloatStrip {
                sums: self.sums.as_ptr().add(column),
                bias: I::Vector::load(self.bias.as_ptr().add(column)),
            }
        }
    }
}

impl<I: Isa> Strip<I::Vector> for FloatStrip<I> {
    #[inline(always)]
    unsafe fn value(&self, row: usize) -> I::Vector {
        // SAFETY: the caller's.
        unsafe { I::Vector::load(self.sums.add(row * I::COLUMNS)).add(self.bias) }
    }
}

/// Sums of the blocks of rows.
pub(super) struct IntegerTile<'a, I> {
    pub(super) columns: &'a OfPanel<'a>,
    /// `[rows, blocks]`
    pub(super) scales: &'a [RowScale],
    /// For each block `[ROWS, COLUMNS]`.
    pub(super) sums: &'a [[i32; LARGEST_TILE]],
    pub(super) isa: PhantomData<I>,
}

pub(super) struct IntegerStrip<I: Isa> {
    blocks: usize,
    sums: *const i32,
    scales: *const RowScale,
    others: Option<*const i32>,
    factors: I::Vector,
    bias: I::Vector,
}

impl<I: Isa> Tile<I::Vector> for IntegerTile<'_, I> {
    const IS_ROUGH: bool = true;
    type Strip = IntegerStrip<I>;

    #[inline(always)]
    unsafe fn strip(&self, column: usize) -> IntegerStrip<I> {
        // SAFETY: the caller's; there are sums for each block of each column.
        unsafe {
            IntegerStrip {
                blocks: self.sums.len(),
                sums: self.sums.as_ptr().cast::<i32>().add(column),
                scales: self.scales.as_ptr(),
                others: self.columns.sums.map(|sums| sums.as_ptr().add(column)),
                factors: I::Vector::load(self.columns.scales.as_ptr().add(column)),
                bias: I::Vector::load(self.columns.bias.as_ptr().add(column)),
            }
        }
    }
}

impl<I: Isa> IntegerStrip<I> {
    /// What a block of a row comes to: takes off what its zero point adds to
    /// sums, and scales.
    ///
    /// # Safety
    /// As [`Strip::value`], and there is such a block.
    #[inline(always)]
    unsafe fn block(&self, row: usize, block: usize) -> I::Vector {
        // SAFETY: the caller's; there is a scale for each block of each row.
        unsafe {
            let scale = &*self.scales.add(row * self.blocks + block);
            let sums = self.sums.add(block * LARGEST_TILE + row * I::COLUMNS);
            let sum = match self.others {
                Some(others) => {
                    let others = others.add(block * I::COLUMNS);
                    I::Vector::from_integers(sums, scale.zero - I::OFFSET, others)
                }
                None => I::Vector::from_plain_integers(sums),
            };
            // Rounded as on every other machine.
            sum.mul(self.factors.mul(I::Vector::splat(scale.scale)))
        }
    }
}

impl<I: Isa> Strip<I::Vector> for IntegerStrip<I> {
    #[inline(always)]
    unsafe fn value(&self, row: usize) -> I::Vector {
        // SAFETY: the caller's; there is always a block.
        unsafe {
            let mut value = self.block(row, 0);
            for block in 1..I::BLOCKS {
                if block < self.blocks {
                    value = value.add(self.block(row, block));
                }
            }
            value.add(self.bias)
        }
    }
}
