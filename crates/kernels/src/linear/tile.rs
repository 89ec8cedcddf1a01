//! Tiles of sums, and their conversion to floats.

use super::super::isa::{Isa, MAX_TILE, Vector};
use super::ColumnParameters;
use super::quantize::RowScale;

/// [`ColumnParameters`] of one panel.
pub(super) struct PanelParameters<'a> {
    scales: &'a [f32],
    bias: &'a [f32],
    zero_points: Option<&'a [i32]>,
    /// `[blocks, COLUMNS]`.
    weight_sums: Option<&'a [i32]>,
}

impl<'a> PanelParameters<'a> {
    pub(super) fn new<I: Isa>(
        columns: &'a ColumnParameters,
        bias: &'a [f32],
        panel: usize,
        blocks: usize,
    ) -> Self {
        let of_panel = panel * I::COLUMNS..(panel + 1) * I::COLUMNS;
        let of_blocks = of_panel.start * blocks..of_panel.end * blocks;
        Self {
            scales: &columns.scales[of_panel.clone()],
            bias: &bias[of_panel.clone()],
            zero_points: columns.zero_points.get(of_panel),
            weight_sums: columns.weight_sums.get(of_blocks),
        }
    }

    /// Subtracts the contribution of the weights' zero points, which are 0 in most
    /// models. `scales` has one for each row, every `blocks`.
    #[inline(always)]
    pub(super) fn subtract_zero_points<I: Isa>(
        &self,
        scales: &[RowScale],
        blocks: usize,
        sums: &mut [i32],
    ) {
        let Some(zero_points) = self.zero_points else {
            return;
        };
        let scales = scales.iter().step_by(blocks);
        for (sums, scale) in sums.chunks_exact_mut(I::COLUMNS).zip(scales) {
            for (sum, zero_point) in sums.iter_mut().zip(zero_points) {
                *sum -= zero_point * scale.sum;
            }
        }
    }
}

/// A tile whose sums have been computed.
pub(super) trait Tile<V> {
    /// Whether values were quantized, so that activation functions may be
    /// approximated more coarsely.
    const IS_ROUGH: bool;
    type Strip: Strip<V>;

    /// A vector of columns, in all rows.
    ///
    /// # Safety
    /// `column` is a multiple of `LANES` below `COLUMNS`.
    unsafe fn strip(&self, column: usize) -> Self::Strip;
}

/// One vector of columns in all rows of a tile, with the parameters of these
/// columns: loaded once, since a compiler would reload them after each write,
/// which might alias them.
pub(super) trait Strip<V> {
    /// The values of a row, before the activation function.
    ///
    /// # Safety
    /// The tile has this row, and has not been dropped.
    unsafe fn value(&self, row: usize) -> V;
}

pub(super) struct FloatTile<'a, I> {
    /// `[ROWS, COLUMNS]`
    pub(super) sums: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) isa: I,
}

pub(super) struct FloatStrip<I: Isa> {
    isa: I,
    sums: *const f32,
    bias: I::Vector,
}

impl<I: Isa> Tile<I::Vector> for FloatTile<'_, I> {
    const IS_ROUGH: bool = false;
    type Strip = FloatStrip<I>;

    #[inline(always)]
    unsafe fn strip(&self, column: usize) -> FloatStrip<I> {
        // SAFETY: `bias` and rows of `sums` have `COLUMNS` values; the caller
        // passes a column that starts a vector of them.
        unsafe {
            FloatStrip {
                isa: self.isa,
                sums: self.sums.as_ptr().add(column),
                bias: self.isa.load(self.bias.as_ptr().add(column)),
            }
        }
    }
}

impl<I: Isa> Strip<I::Vector> for FloatStrip<I> {
    #[inline(always)]
    unsafe fn value(&self, row: usize) -> I::Vector {
        // SAFETY: `sums` points into a tile of `COLUMNS` columns; the caller
        // passes one of its rows.
        unsafe {
            self.isa
                .load(self.sums.add(row * I::COLUMNS))
                .add(self.bias)
        }
    }
}

/// Integer sums, one for each block of a row.
pub(super) struct IntegerTile<'a, I> {
    /// What products subtracted from quantized values.
    pub(super) offset: i32,
    pub(super) columns: &'a PanelParameters<'a>,
    /// `[rows, blocks]`
    pub(super) scales: &'a [RowScale],
    /// For each block `[ROWS, COLUMNS]`.
    pub(super) sums: &'a [[i32; MAX_TILE]],
    pub(super) isa: I,
}

pub(super) struct IntegerStrip<I: Isa> {
    isa: I,
    offset: i32,
    blocks: usize,
    sums: *const i32,
    row_scales: *const RowScale,
    weight_sums: Option<*const i32>,
    column_scales: I::Vector,
    bias: I::Vector,
}

impl<I: Isa> Tile<I::Vector> for IntegerTile<'_, I> {
    const IS_ROUGH: bool = true;
    type Strip = IntegerStrip<I>;

    #[inline(always)]
    unsafe fn strip(&self, column: usize) -> IntegerStrip<I> {
        // SAFETY: parameters and rows of `sums` have `COLUMNS` values; the caller
        // passes a column that starts a vector of them.
        unsafe {
            IntegerStrip {
                isa: self.isa,
                offset: self.offset,
                blocks: self.sums.len(),
                sums: self.sums.as_ptr().cast::<i32>().add(column),
                row_scales: self.scales.as_ptr(),
                weight_sums: self
                    .columns
                    .weight_sums
                    .map(|sums| sums.as_ptr().add(column)),
                column_scales: self.isa.load(self.columns.scales.as_ptr().add(column)),
                bias: self.isa.load(self.columns.bias.as_ptr().add(column)),
            }
        }
    }
}

impl<I: Isa> IntegerStrip<I> {
    /// The contribution of one block of a row: its sum less that of the zero
    /// point, scaled.
    ///
    /// # Safety
    /// As [`Strip::value`], and `block` is less than `self.blocks`.
    #[inline(always)]
    unsafe fn block(&self, row: usize, block: usize) -> I::Vector {
        // SAFETY: the tile has `blocks` scales in each row, and a tile of sums and
        // `COLUMNS` weight sums for each block; the caller passes a row and a block
        // of it.
        unsafe {
            let scale = &*self.row_scales.add(row * self.blocks + block);
            let sums = self.sums.add(block * MAX_TILE + row * I::COLUMNS);
            let sum = match self.weight_sums {
                Some(weight_sums) => {
                    let weight_sums = weight_sums.add(block * I::COLUMNS);
                    self.isa
                        .load_integers_less(sums, scale.zero_point - self.offset, weight_sums)
                }
                None => self.isa.load_integers(sums),
            };
            // In this order on every instruction set, so that all round alike.
            sum.mul(self.column_scales.mul(self.isa.splat(scale.scale)))
        }
    }
}

impl<I: Isa> Strip<I::Vector> for IntegerStrip<I> {
    #[inline(always)]
    unsafe fn value(&self, row: usize) -> I::Vector {
        // SAFETY: the caller passes a row of the tile; every tile has a block, and
        // later blocks are compared with `blocks`.
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
