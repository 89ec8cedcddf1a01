//! The product of quantized rows and weights, tile by tile, and what follows
//! it while a tile is still in registers or next to them.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::exp::{gelu, gelu_tanh, rough_gelu, rough_gelu_tanh};
use super::super::isa::{Isa, LARGEST_TILE, LINE, Vector};
use super::super::parallel::Shared;
use super::levels::RowScale;
use super::tile::{FloatTile, IntegerTile, OfPanel, Tile};
use super::{Activation, Columns, Linear};

/// The most blocks of a row, see [`Isa::BLOCKS`].
const MOST_BLOCKS: usize = 3;

/// A product that is computed in parts.
pub(in super::super) struct Product<'a> {
    pub(super) linear: &'a Linear,
    pub(super) factors: Factors<'a>,
    pub(super) residual: Option<&'a [f32]>,
    /// `[rows, outer]`.
    pub(super) out: Shared<'a, f32>,
}

/// What is multiplied.
pub(super) enum Factors<'a> {
    Floats {
        /// `[rows, inner]`.
        rows: &'a [f32],
        panels: &'a [f32],
    },
    Integers {
        /// `[rows, stride]` of the instruction set's levels.
        levels: &'a [u8],
        scales: &'a [RowScale],
        stride: usize,
        weights: &'a [i8],
        columns: &'a Columns,
    },
}

/// Computes the outputs of some rows and panels.
#[inline(always)]
pub(in super::super) fn multiply_tiles<I: Isa>(
    product: &Product<'_>,
    rows: Range<usize>,
    panels: Range<usize>,
) {
    match product.factors {
        Factors::Floats { .. } => floats::<I>(product, rows, panels),
        Factors::Integers { .. } => integers::<I>(product, rows, panels),
    }
}

#[inline(always)]
fn floats<I: Isa>(product: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
    let Factors::Floats {
        rows: left,
        panels: weights,
    } = product.factors
    else {
        return;
    };
    let inner = product.linear.inner;
    let panel_size = inner * I::COLUMNS;
    let left = &left[..rows.end * inner];
    let mut sums = [0f32; LARGEST_TILE];
    for panel in panels {
        let weights = &weights[panel * panel_size..(panel + 1) * panel_size];
        let bias = &product.linear.bias[panel * I::COLUMNS..(panel + 1) * I::COLUMNS];
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            expect_writes::<I>(product, first..first + count, panel);
            // SAFETY: `left` has all rows up to `rows.end`, a panel is whole,
            // and the tile has room for the largest.
            unsafe {
                let left = left.as_ptr().add(first * inner);
                let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
                I::floats(count, left, inner, weights, inner, sums, I::COLUMNS);
            }
            let tile = FloatTile {
                sums: &sums,
                bias,
                isa: PhantomData::<I>,
            };
            write::<I>(product, first..first + count, panel, &tile);
        }
    }
}

#[inline(always)]
fn integers<I: Isa>(product: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
    let Factors::Integers {
        levels,
        scales,
        stride,
        weights,
        columns,
    } = product.factors
    else {
        return;
    };
    let panel_size = stride * I::COLUMNS;
    let row_size = stride * size_of::<I::Level>();
    let levels = &levels[..rows.end * row_size];
    let size = I::block(stride);
    let blocks = stride.div_ceil(size);
    let rests = match I::NARROW {
        Some(_) => columns.rests.as_ref(),
        None => None,
    };
    let mut scratch = Vec::new();
    assert!(
        blocks <= I::BLOCKS && I::BLOCKS <= MOST_BLOCKS,
        "blocks of a row"
    );
    let mut sums = [[0i32; LARGEST_TILE]; MOST_BLOCKS];
    for panel in panels {
        let packed = &weights[panel * panel_size..(panel + 1) * panel_size];
        let weights = I::weights(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        let columns = OfPanel::new::<I>(columns, &product.linear.bias, panel, blocks);
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            expect_writes::<I>(product, first..first + count, panel);
            let scales = &scales[first * blocks..(first + count) * blocks];
            for (block, sums) in sums.iter_mut().enumerate().take(blocks) {
                let start = block * size;
                let groups = (stride - start).min(size) / I::GROUP;
                // SAFETY: levels are whole rows up to `rows.end`, a panel is
                // whole, and the tile has room for the largest.
                unsafe {
                    let levels = levels.as_ptr().add(first * row_size).cast::<I::Level>();
                    let levels = levels.add(start);
                    let weights = weights.as_ptr().add(start * I::COLUMNS);
                    let to = sums.as_mut_ptr();
                    match rests {
                        None => I::integers(count, levels, stride, weights, groups, to),
                        Some(rests) => {
                            I::narrow_integers(count, levels, stride, weights, groups, to);
                            rests.add::<I>(panel * blocks + block, (levels, stride), count, sums);
                        }
                    }
                }
                columns.take_off_zeros::<I>(&scales[block..], blocks, sums);
            }
            let tile = IntegerTile {
                columns: &columns,
                scales,
                sums: &sums[..blocks],
                isa: PhantomData::<I>,
            };
            write::<I>(product, first..first + count, panel, &tile);
        }
    }
}

/// Has the outputs of a tile brought near while it is computed: rows are far
/// from each other, so that each line would be waited for.
#[inline(always)]
fn expect_writes<I: Isa>(product: &Product<'_>, rows: Range<usize>, panel: usize) {
    let outer = product.linear.outer;
    let width = product.linear.activation.width::<I>();
    let out = product.out.at(panel * width);
    let residual = product
        .residual
        .map(|all| all.as_ptr().wrapping_add(panel * width));
    for row in rows {
        // As many for each panel, so that there is no loop: a gated one has its
        // last line hinted at twice.
        for line in 0..I::COLUMNS.div_ceil(LINE) {
            let at = row * outer + (line * LINE).min(width.saturating_sub(LINE));
            I::expect_write(out.wrapping_add(at));
            if let Some(residual) = residual {
                I::expect_write(residual.wrapping_add(at));
            }
        }
    }
}

impl Activation {
    /// Columns of the output that a panel makes.
    #[inline(always)]
    fn width<I: Isa>(self) -> usize {
        match self.is_gated() {
            true => I::COLUMNS / 2,
            false => I::COLUMNS,
        }
    }

    /// The activated value of a row at a column of a panel.
    ///
    /// # Safety
    /// As [`Tile::value`], and where it is gated there is another vector for
    /// the gate, half a panel further.
    #[inline(always)]
    unsafe fn apply<I: Isa, T: Tile<I::Vector>>(
        self,
        tile: &T,
        row: usize,
        column: usize,
    ) -> I::Vector {
        // SAFETY: the caller's.
        unsafe {
            let value = tile.value(row, column);
            let activated = match (self, T::IS_ROUGH) {
                (Self::None, _) => return value,
                (Self::Gelu | Self::GatedGelu, true) => rough_gelu(value),
                (Self::Gelu | Self::GatedGelu, false) => gelu(value),
                (Self::GeluTanh | Self::GatedGeluTanh, true) => rough_gelu_tanh(value),
                (Self::GeluTanh | Self::GatedGeluTanh, false) => gelu_tanh(value),
            };
            match self.is_gated() {
                true => activated.mul(tile.value(row, column + I::COLUMNS / 2)),
                false => activated,
            }
        }
    }
}

/// From the sums of a tile to outputs, in one go: each step through memory
/// takes as long as some of the product.
#[inline(always)]
fn write<I: Isa>(
    product: &Product<'_>,
    rows: Range<usize>,
    panel: usize,
    tile: &impl Tile<I::Vector>,
) {
    let activation = product.linear.activation;
    let width = activation.width::<I>();
    let (outer, first) = (product.linear.outer, panel * width);
    let count = width.min(outer - first);
    if count < width {
        for row in rows.clone() {
            let mut last = [0f32; LARGEST_TILE];
            for column in (0..width).step_by(I::Vector::LANES) {
                // SAFETY: within the tile, of which a row is a part.
                unsafe {
                    let value = activation.apply::<I, _>(tile, row - rows.start, column);
                    value.store(last.as_mut_ptr().add(column));
                }
            }
            let at = row * outer + first;
            // SAFETY: every row and panel is computed by one task alone.
            let out = unsafe { product.out.part(at..at + count) };
            out.copy_from_slice(&last[..count]);
            let residual = product.residual.map(|all| &all[at..at + count]);
            for (out, residual) in out.iter_mut().zip(residual.unwrap_or_default()) {
                *out += residual;
            }
        }
        return;
    }
    let (start, end) = (rows.start * outer + first, (rows.end - 1) * outer + first);
    let out = product.out.range(start..end + width);
    let residual = product.residual.map(|all| &all[start..end + width]);
    for column in (0..width).step_by(I::Vector::LANES) {
        for row in 0..rows.len() {
            let at = row * outer + column;
            // SAFETY: every row and panel is computed by one task alone; all
            // are as long as the width, which is whole vectors.
            unsafe {
                let mut value = activation.apply::<I, _>(tile, row, column);
                if let Some(residual) = residual {
                    value = value.add(I::Vector::load(residual.as_ptr().add(at)));
                }
                value.store(out.add(at));
            }
        }
    }
}
