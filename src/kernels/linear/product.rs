//! The product of quantized rows and weights, tile by tile, and what follows
//! it while a tile is still in registers or next to them.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::exp::{gelu, gelu_tanh};
use super::super::isa::{Isa, LARGEST_TILE, Vector};
use super::super::parallel::Shared;
use super::levels::RowScale;
use super::{Activation, Columns, Linear};

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
    let mut scratch = Vec::new();
    let (mut sums, mut values) = ([0i32; LARGEST_TILE], [0f32; LARGEST_TILE]);
    for panel in panels {
        let packed = &weights[panel * panel_size..(panel + 1) * panel_size];
        let weights = I::weights(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        let columns = OfPanel::new::<I>(columns, &product.linear.bias, panel, blocks);
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            expect_writes::<I>(product, first..first + count, panel);
            for block in 0..blocks {
                let start = block * size;
                let groups = (stride - start).min(size) / I::GROUP;
                // SAFETY: levels are whole rows up to `rows.end`, a panel is
                // whole, and the tile has room for the largest.
                unsafe {
                    let levels = levels.as_ptr().add(first * row_size).cast::<I::Level>();
                    let weights = weights.as_ptr().add(start * I::COLUMNS);
                    let sums = sums.as_mut_ptr();
                    I::integers(count, levels.add(start), stride, weights, groups, sums);
                }
                let scales = &scales[first * blocks..(first + count) * blocks];
                columns.take_off_zeros::<I>(&scales[block..], blocks, &mut sums);
                let mut tile = IntegerTile {
                    columns: &columns,
                    scales,
                    blocks,
                    block,
                    sums: &sums,
                    values: &mut values,
                    isa: PhantomData::<I>,
                };
                match block + 1 == blocks {
                    true => write::<I>(product, first..first + count, panel, &tile),
                    false => tile.keep(),
                }
            }
        }
    }
}

/// Has the outputs of a tile brought near while it is computed: rows are far
/// from each other, so that each line would be waited for.
#[inline(always)]
fn expect_writes<I: Isa>(product: &Product<'_>, rows: Range<usize>, panel: usize) {
    const LINE: usize = 64 / size_of::<f32>();
    let outer = product.linear.outer;
    let width = match product.linear.activation.is_gated() {
        true => I::COLUMNS / 2,
        false => I::COLUMNS,
    };
    for row in rows {
        for column in (0..width).step_by(LINE) {
            let at = row * outer + panel * width + column;
            I::expect_write(product.out.at(at));
            if let Some(residual) = product.residual {
                I::expect_write(residual.as_ptr().wrapping_add(at));
            }
        }
    }
}

/// What belongs to the columns of a panel.
struct OfPanel<'a> {
    scales: &'a [f32],
    bias: &'a [f32],
    zeros: Option<&'a [i32]>,
    /// One for each block of rows, `[blocks, COLUMNS]`.
    sums: Option<&'a [i32]>,
}

impl<'a> OfPanel<'a> {
    fn new<I: Isa>(columns: &'a Columns, bias: &'a [f32], panel: usize, blocks: usize) -> Self {
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
    fn take_off_zeros<I: Isa>(&self, scales: &[RowScale], blocks: usize, sums: &mut [i32]) {
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
trait Tile<V> {
    /// What a row comes to at a column of the panel, before its activation.
    ///
    /// # Safety
    /// The tile has this row, and the panel a vector at this column.
    unsafe fn value(&self, row: usize, column: usize) -> V;
}

struct FloatTile<'a, I> {
    /// `[ROWS, COLUMNS]`
    sums: &'a [f32],
    bias: &'a [f32],
    isa: PhantomData<I>,
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
struct IntegerTile<'a, I> {
    columns: &'a OfPanel<'a>,
    /// `[rows, blocks]`
    scales: &'a [RowScale],
    blocks: usize,
    block: usize,
    /// `[ROWS, COLUMNS]`
    sums: &'a [i32],
    /// What the blocks before came to, of the same shape.
    values: &'a mut [f32],
    isa: PhantomData<I>,
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
    fn keep(&mut self) {
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

impl Activation {
    /// The activated value of a row at a column of a panel.
    ///
    /// # Safety
    /// As [`Tile::value`], and where it is gated there is another vector for
    /// the gate, half a panel further.
    #[inline(always)]
    unsafe fn apply<I: Isa>(
        self,
        tile: &impl Tile<I::Vector>,
        row: usize,
        column: usize,
    ) -> I::Vector {
        // SAFETY: the caller's.
        unsafe {
            let value = tile.value(row, column);
            let activated = match self {
                Self::None => return value,
                Self::Gelu | Self::GatedGelu => gelu(value),
                Self::GeluTanh | Self::GatedGeluTanh => gelu_tanh(value),
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
    let width = match activation.is_gated() {
        true => I::COLUMNS / 2,
        false => I::COLUMNS,
    };
    let (outer, first) = (product.linear.outer, panel * width);
    let count = width.min(outer - first);
    if count < width {
        for row in rows.clone() {
            let mut last = [0f32; LARGEST_TILE];
            for column in (0..width).step_by(I::Vector::LANES) {
                // SAFETY: within the tile, of which a row is a part.
                unsafe {
                    let value = activation.apply::<I>(tile, row - rows.start, column);
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
                let mut value = activation.apply::<I>(tile, row, column);
                if let Some(residual) = residual {
                    value = value.add(I::Vector::load(residual.as_ptr().add(at)));
                }
                value.store(out.add(at));
            }
        }
    }
}
