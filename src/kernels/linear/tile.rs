//! Tiles whose sums are known, and what belongs to their columns.

use std::marker::PhantomData;

use super::super::isa::{Isa, Vector};
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
    #[inline(always)]
    unsafe fn value(&self, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller's.
        unsafe {
            let sum = self.sums.as_ptr().add(row * I::COLUMNS + column);
            I::Vector::load(sum).add(I::Vector::load(self.bias.as_ptr().add(column)))
        }
    }
}

/// The sums of a block of each row.
pub(super) struct IntegerTile<'a, I> {
    pub(super) columns: &'a OfPanel<'a>,
    /// `[rows, blocks]`
    pub(super) scales: &'a [RowScale],
    pub(super) blocks: usize,
    pub(super) block: usize,
    /// `[ROWS, COLUMNS]`
    pub(super) sums: &'a [i32],
    /// What the blocks before came to, of the same shape.
    pub(super) values: &'a mut [f32],
    pub(super) isa: PhantomData<I>,
}

impl<I: Isa> IntegerTile<'_, I> {
    /// The values with this block: takes off what its zero point adds to sums,
    /// and scales.
    ///
    /// # Safety
    /// As [`Tile::value`].
    #[inline(always)]
    unsafe fn sum(&self, row: usize, column: usize) -> I::Vector {
        let at = row * I::COLUMNS + column;
        // SAFETY: the caller's; there is a scale for each block of each row,
        // and a sum for each block of each column.
        unsafe {
            let scale = *self.scales.get_unchecked(row * self.blocks + self.block);
            let sums = self.sums.as_ptr().add(at);
            let sum = match self.columns.sums {
                Some(others) => {
                    let others = others.as_ptr().add(self.block * I::COLUMNS + column);
                    I::Vector::from_integers(sums, scale.zero - I::OFFSET, others)
                }
                None => I::Vector::from_plain_integers(sums),
            };
            let factor = I::Vector::load(self.columns.scales.as_ptr().add(column));
            // Rounded as on every other machine.
            let value = sum.mul(factor.mul(I::Vector::splat(scale.scale)));
            match self.block {
                0 => value,
                _ => I::Vector::load(self.values.as_ptr().add(at)).add(value),
            }
        }
    }

    /// Makes this block one of those before.
    #[inline(always)]
    pub(super) fn keep(&mut self) {
        for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
            for row in 0..self.scales.len() / self.blocks {
                // SAFETY: a row of the tile, and panels are whole vectors.
                unsafe {
                    let place = self.values.as_mut_ptr().add(row * I::COLUMNS + column);
                    self.sum(row, column).store(place);
                }
            }
        }
    }
}

impl<I: Isa> Tile<I::Vector> for IntegerTile<'_, I> {
    #[inline(always)]
    unsafe fn value(&self, row: usize, column: usize) -> I::Vector {
        // SAFETY: the caller's.
        unsafe {
            let bias = I::Vector::load(self.columns.bias.as_ptr().add(column));
            self.sum(row, column).add(bias)
        }
    }
}
