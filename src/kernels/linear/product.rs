//! The product of quantized rows and weights, tile by tile, and what follows
//! it while a tile is still in registers or next to them.

use std::ops::Range;

use super::super::exp::{gelu, gelu_tanh};
use super::super::isa::{Isa, LARGEST_TILE, WIDEST_PANEL};
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
            // SAFETY: `left` has all rows up to `rows.end`, a panel is whole,
            // and the tile has room for the largest.
            unsafe {
                let left = left.as_ptr().add(first * inner);
                let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
                I::floats(count, left, inner, weights, inner, sums, I::COLUMNS);
            }
            for (at, sums) in sums.chunks_exact_mut(I::COLUMNS).take(count).enumerate() {
                for (sum, bias) in sums.iter_mut().zip(bias) {
                    *sum += bias;
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
    let groups = stride / I::GROUP;
    let panel_size = groups * I::GROUP * I::COLUMNS;
    let row_size = stride * size_of::<I::Level>();
    let levels = &levels[..rows.end * row_size];
    let mut scratch = Vec::new();
    let mut sums = [0i32; LARGEST_TILE];
    for panel in panels {
        let packed = &weights[panel * panel_size..(panel + 1) * panel_size];
        let weights = I::weights(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        let of_panel = panel * I::COLUMNS..(panel + 1) * I::COLUMNS;
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            // SAFETY: levels are whole rows up to `rows.end`, a panel is
            // whole, and the tile has room for the largest.
            unsafe {
                let levels = levels.as_ptr().add(first * row_size).cast();
                let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
                I::integers(count, levels, stride, weights, groups, sums);
            }
            for (at, sums) in sums.chunks_exact(I::COLUMNS).take(count).enumerate() {
                let (row, mut values) = (first + at, [0f32; WIDEST_PANEL]);
                let bias = &product.linear.bias[of_panel.clone()];
                columns.scale::<I>(of_panel.clone(), (sums, bias), scales[row], &mut values);
                finish::<I>(product, row, panel, &mut values[..I::COLUMNS]);
            }
        }
    }
}

impl Columns {
    /// From the sums of a row to its values: takes off what zero points add,
    /// scales, and adds the bias. In one pass, since a vector that was written
    /// in parts is slow to be read.
    #[inline(always)]
    fn scale<I: Isa>(
        &self,
        of_panel: Range<usize>,
        (sums, bias): (&[i32], &[f32]),
        row: RowScale,
        values: &mut [f32; WIDEST_PANEL],
    ) {
        let scales = &self.scales[of_panel.clone()];
        let zero = row.zero - I::OFFSET;
        let value = |at: usize, sum: i32| sum as f32 * (row.scale * scales[at]) + bias[at];
        if I::CENTRED && self.zeros.is_empty() {
            for at in 0..I::COLUMNS {
                values[at] = value(at, sums[at]);
            }
        } else if self.zeros.is_empty() {
            let column = &self.sums[of_panel];
            for at in 0..I::COLUMNS {
                values[at] = value(at, sums[at] - zero * column[at]);
            }
        } else {
            let zeros = &self.zeros[of_panel.clone()];
            let column = self.sums.get(of_panel);
            for at in 0..I::COLUMNS {
                let offset = column.map_or(0, |column| zero * column[at]);
                values[at] = value(at, sums[at] - offset - zeros[at] * row.sum);
            }
        }
    }
}

/// From the values of a row in one panel to its outputs.
#[inline(always)]
fn finish<I: Isa>(product: &Product<'_>, row: usize, panel: usize, values: &mut [f32]) {
    let linear = product.linear;
    match linear.activation {
        Activation::None => {}
        Activation::Gelu => each(values, gelu::<I>),
        Activation::GeluTanh => each(values, gelu_tanh::<I>),
        Activation::GatedGelu => gate(values, gelu::<I>),
        Activation::GatedGeluTanh => gate(values, gelu_tanh::<I>),
    }
    // Sizes that the compiler knows spare calls for a few values.
    match linear.activation.is_gated() {
        true => store(
            product,
            row,
            panel * (I::COLUMNS / 2),
            &values[..I::COLUMNS / 2],
        ),
        false => store(product, row, panel * I::COLUMNS, &values[..I::COLUMNS]),
    }
}

/// Writes values of a row from a column on, those that there are columns for.
#[inline(always)]
fn store(product: &Product<'_>, row: usize, first: usize, values: &[f32]) {
    let outer = product.linear.outer;
    let (start, width) = (row * outer + first, values.len().min(outer - first));
    // SAFETY: every row and panel is computed by one task alone.
    let out = unsafe { product.out.part(start..start + width) };
    let residual = product.residual.map(|rows| &rows[start..start + width]);
    if out.len() == values.len() {
        write(values, residual, out);
    } else {
        write(&values[..width], residual, out);
    }
}

#[inline(always)]
fn write(values: &[f32], residual: Option<&[f32]>, out: &mut [f32]) {
    match residual {
        Some(residual) => {
            for at in 0..values.len() {
                out[at] = values[at] + residual[at];
            }
        }
        None => out.copy_from_slice(values),
    }
}

#[inline(always)]
fn each(values: &mut [f32], activation: impl Fn(f32) -> f32) {
    for value in values {
        *value = activation(*value);
    }
}

#[inline(always)]
fn gate(values: &mut [f32], activation: impl Fn(f32) -> f32) {
    let (left, right) = values.split_at_mut(values.len() / 2);
    for (left, right) in left.iter_mut().zip(right) {
        *left = activation(*left) * *right;
    }
}
