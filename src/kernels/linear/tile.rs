//! Tiles whose sums are known, and what belongs to their columns.

use std::marker::PhantomData;

use super::super::isa::{Isa, LARGEST_TILE, MOST_BLOCKS, Vector};
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
    type Row: Row<V>;

    /// A row of it.
    ///
    /// # Safety
    /// The tile has this row.
    unsafe fn row(&self, row: usize) -> Self::Row;
}

/// A row of a tile, with all that its columns share: read once, and not again
/// after each write, which could be to the same memory for all that a compiler
/// knows.
pub(super) trait Row<V> {
    /// What it comes to at a column of the panel, before its activation.
    ///
    /// # Safety
    /// The panel has a vector at this column, and all that the tile borrows is
    /// still there.
    unsafe fn value(&self, column: usize) -> V;
}

pub(super) struct FloatTile<'a, I> {
    /// `[ROWS, COLUMNS]`
    pub(super) sums: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) isa: PhantomData<I>,
}

pub(super) struct FloatRow {
    sums: *const f32,
    bias: *const f32,
}

impl<I: Isa> Tile<I::Vector> for FloatTile<'_, I> {
    const IS_ROUGH: bool = false;
    type Row = FloatRow;

    #[inline(always)]
    unsafe fn row(&self, row: usize) -> FloatRow {
        FloatRow {
            // SAFETY: the caller's.
            sums: unsafe { self.sums.as_ptr().add(row * I::COLUMNS) },
            bias: self.bias.as_ptr(),
        }
    }
}

impl<V: Vector> Row<V> for FloatRow {
    #[inline(always)]
    unsafe fn value(&self, column: usize) -> V {
        // SAFETY: the caller's.
        unsafe { V::load(self.sums.add(column)).add(V::load(self.bias.add(column))) }
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

/// Its scales are vectors.
pub(super) struct IntegerRow<I: Isa> {
    blocks: usize,
    sums: *const i32,
    scales: [I::Vector; MOST_BLOCKS],
    /// Less the offset of levels.
    zeros: [i32; MOST_BLOCKS],
    others: Option<*const i32>,
    factors: *const f32,
    bias: *const f32,
}

impl<I: Isa> Tile<I::Vector> for IntegerTile<'_, I> {
    const IS_ROUGH: bool = true;
    type Row = IntegerRow<I>;

    #[inline(always)]
    unsafe fn row(&self, row: usize) -> IntegerRow<I> {
        let blocks = self.sums.len();
        let mut scales = [I::Vector::splat(0.); MOST_BLOCKS];
        let mut zeros = [0; MOST_BLOCKS];
        for block in 0..I::BLOCKS {
            if block == 0 || block < blocks {
                // SAFETY: the caller's; there is a scale for each block of it.
                let scale = unsafe { *self.scales.get_unchecked(row * blocks + block) };
                scales[block] = I::Vector::splat(scale.scale);
                zeros[block] = scale.zero - I::OFFSET;
            }
        }
        IntegerRow {
            blocks,
            // SAFETY: the caller's.
            sums: unsafe { self.sums.as_ptr().cast::<i32>().add(row * I::COLUMNS) },
            scales,
            zeros,
            others: self.columns.sums.map(<[i32]>::as_ptr),
            factors: self.columns.scales.as_ptr(),
            bias: self.columns.bias.as_ptr(),
        }
    }
}

impl<I: Isa> IntegerRow<I> {
    /// What a block comes to: takes off what its zero point adds to sums, and
    /// scales.
    ///
    /// # Safety
    /// As [`Row::value`], and there is such a block.
    #[inline(always)]
    unsafe fn block(&self, block: usize, column: usize, factor: I::Vector) -> I::Vector {
        // SAFETY: the caller's; there is a sum for each block of each column.
        unsafe {
            let sums = self.sums.add(block * LARGEST_TILE + column);
            let sum = match self.others {
                Some(others) => {
                    let others = others.add(block * I::COLUMNS + column);
                    I::Vector::from_integers(sums, self.zeros[block], others)
                }
                None => I::Vector::from_plain_integers(sums),
            };
            // Rounded as on every other machine.
            sum.mul(factor.mul(self.scales[block]))
        }
    }
}

impl<I: Isa> Row<I::Vector> for IntegerRow<I> {
    #[inline(always)]
    unsafe fn value(&self, column: usize) -> I::Vector {
        // SAFETY: the caller's; there is always a block.
        unsafe {
            let factor = I::Vector::load(self.factors.add(column));
            let mut value = self.block(0, column, factor);
            for block in 1..I::BLOCKS {
                if block < self.blocks {
                    value = value.add(self.block(block, column, factor));
                }
            }
            value.add(I::Vector::load(self.bias.add(column)))
        }
    }
}
