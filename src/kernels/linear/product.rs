//! The product of quantized rows and weights, tile by tile, and what follows
//! it while a tile is still in registers or next to them.

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
            for (at, sums) in sums.chunks_exact_mut(I::COLUMNS).take(count).enumerate() {
                for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                    // SAFETY: vectors are within the panel, which is whole ones.
                    unsafe {
                        let sums = sums.as_mut_ptr().add(column);
                        let bias = I::Vector::load(bias.as_ptr().add(column));
                        I::Vector::load(sums).add(bias).store(sums);
                    }
                }
                finish::<I>(product, first + at, panel, sums);
            }
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
                let scales = scales.iter().skip(block).step_by(blocks);
                let sums = sums.chunks_exact_mut(I::COLUMNS);
                let values = values.chunks_exact_mut(I::COLUMNS);
                for ((sums, values), &scale) in sums.zip(values).zip(scales) {
                    columns.take_off_zeros(scale, sums);
                    columns.add_scaled::<I>(block, sums, scale, values);
                }
            }
            for (at, values) in values.chunks_exact_mut(I::COLUMNS).take(count).enumerate() {
                finish::<I>(product, first + at, panel, values);
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
    blocks: usize,
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
            blocks,
        }
    }

    /// Takes off what zero points of weights add to the sums of a row, which
    /// is nothing in most models.
    #[inline(always)]
    fn take_off_zeros(&self, row: RowScale, sums: &mut [i32]) {
        for (sum, zero) in sums.iter_mut().zip(self.zeros.unwrap_or_default()) {
            *sum -= zero * row.sum;
        }
    }

    /// From the sums of a block of a row to what it adds to the row's values:
    /// takes off what its zero point adds, and scales. The last one adds the
    /// bias.
    #[inline(always)]
    fn add_scaled<I: Isa>(&self, block: usize, sums: &[i32], row: RowScale, values: &mut [f32]) {
        let (zero, row_scale) = (row.zero - I::OFFSET, I::Vector::splat(row.scale));
        let others = self
            .sums
            .map(|sums| &sums[block * I::COLUMNS..][..I::COLUMNS]);
        assert!(sums.len() == I::COLUMNS && values.len() == I::COLUMNS);
        assert!(self.scales.len() == I::COLUMNS && self.bias.len() == I::COLUMNS);
        for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
            // SAFETY: all are of a panel, which is whole vectors.
            unsafe {
                let sums = sums.as_ptr().add(column);
                let sum = match others {
                    Some(others) => {
                        I::Vector::from_integers(sums, zero, others.as_ptr().add(column))
                    }
                    None => I::Vector::from_plain_integers(sums),
                };
                let scale = I::Vector::load(self.scales.as_ptr().add(column)).mul(row_scale);
                // Rounded as on every other machine.
                let mut value = sum.mul(scale);
                let place = values.as_mut_ptr().add(column);
                if block > 0 {
                    value = I::Vector::load(place).add(value);
                }
                if block + 1 == self.blocks {
                    value = value.add(I::Vector::load(self.bias.as_ptr().add(column)));
                }
                value.store(place);
            }
        }
    }
}

/// From the values of a row in one panel to its outputs.
#[inline(always)]
fn finish<I: Isa>(product: &Product<'_>, row: usize, panel: usize, values: &mut [f32]) {
    let half = I::COLUMNS / 2;
    let width = match product.linear.activation.is_gated() {
        true => half,
        false => I::COLUMNS,
    };
    assert!(values.len() == I::COLUMNS);
    for column in (0..width).step_by(I::Vector::LANES) {
        // SAFETY: vectors are within the width, which is whole ones.
        unsafe {
            let place = values.as_mut_ptr().add(column);
            let value = I::Vector::load(place);
            let value = match product.linear.activation {
                Activation::None => break,
                Activation::Gelu => gelu(value),
                Activation::GeluTanh => gelu_tanh(value),
                Activation::GatedGelu => gelu(value).mul(I::Vector::load(place.add(half))),
                Activation::GatedGeluTanh => gelu_tanh(value).mul(I::Vector::load(place.add(half))),
            };
            value.store(place);
        }
    }
    // Lengths that the compiler knows spare calls for a few values.
    match product.linear.activation.is_gated() {
        true => store::<I>(product, row, panel * half, &values[..half]),
        false => store::<I>(product, row, panel * I::COLUMNS, &values[..I::COLUMNS]),
    }
}

/// Writes values of a row from a column on, those that there are columns for.
#[inline(always)]
fn store<I: Isa>(product: &Product<'_>, row: usize, first: usize, values: &[f32]) {
    let outer = product.linear.outer;
    let (start, width) = (row * outer + first, values.len().min(outer - first));
    // SAFETY: every row and panel is computed by one task alone.
    let out = unsafe { product.out.part(start..start + width) };
    let residual = product.residual.map(|rows| &rows[start..start + width]);
    if out.len() < values.len() {
        for (at, out) in out.iter_mut().enumerate() {
            *out = values[at] + residual.map_or(0., |residual| residual[at]);
        }
        return;
    }
    for column in (0..values.len()).step_by(I::Vector::LANES) {
        // SAFETY: all are as long as the values, which are whole vectors.
        unsafe {
            let mut value = I::Vector::load(values.as_ptr().add(column));
            if let Some(residual) = residual {
                value = value.add(I::Vector::load(residual.as_ptr().add(column)));
            }
            value.store(out.as_mut_ptr().add(column));
        }
    }
}
