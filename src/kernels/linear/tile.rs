//! Tiles whose sums are known, and what belongs to their columns.

use std::marker::PhantomData;

use super::super::isa::{Isa, LARGEST_TILE, Vector};
use super::Columns;
use super::levels::RowScale;

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

    /// What a row comes to at a column of the panel, before its activation.
    ///
    /// # Safety
    /// The tile has this row, and the panel a vector at this column.
    unsafe fn value(&self, row: usize, column: usize) -> V;
}

pub(super) struct FloatTile<'a, I> {
    /// `[ROWS, COLUMNS]`
    pub(super) sums: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) isa: PhantomData<I>,
}

impl<I: Isa> Tile<I::Vector> for FloatTile<'_, I> {
    const IS_ROUGH: bool = false;

    #[inline(always)]
    unsafe fn value(&self, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller's.
        unsafe {
            let sum = self.sums.as_ptr().add(row * I::COLUMNS + column);
            I::Vector::load(sum).add(I::Vector::load(self.bias.as_ptr().add(column)))
        }
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

impl<I: Isa> IntegerTile<'_, I> {
    /// What a block comes to: takes off what its zero point adds to sums, and
    /// scales.
    ///
    /// # Safety
    /// As [`Tile::value`], and there is such a block.
    #[inline(always)]
    unsafe fn block(&self, block: usize, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller's; there is a scale for each block of each row,
        // and a sum for each block of each column.
        unsafe {
            let scale = *self.scales.get_unchecked(row * self.sums.len() + block);
            let sums = self.sums.get_unchecked(block).as_ptr();
            let sums = sums.add(row * I::COLUMNS + column);
            let sum = match self.columns.sums {
                Some(others) => {
                    let others = others.as_ptr().add(block * I::COLUMNS + column);
                    I::Vector::from_integers(sums, scale.zero - I::OFFSET, others)
                }
                None => I::Vector::from_plain_integers(sums),
            };
            let factor = I::Vector::load(self.columns.scales.as_ptr().add(column));
            // Rounded as on every other machine.
            sum.mul(factor.mul(I::Vector::splat(scale.scale)))
        }
    }
}

impl<I: Isa> Tile<I::Vector> for IntegerTile<'_, I> {
    const IS_ROUGH: bool = true;

    #[inline(always)]
    unsafe fn value(&self, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller's; there is always a block.
        unsafe {
            let mut value = self.block(0, row, column);
            if I::BLOCKS > 1 {
                for block in 1..self.sums.len() {
                    value = value.add(self.block(block, row, column));
                }
            }
            value.add(I::Vector::load(self.columns.bias.as_ptr().add(column)))
        }
    }
}
