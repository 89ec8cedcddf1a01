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
                finish(product, first + at, panel, sums);
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
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            // SAFETY: levels are whole rows up to `rows.end`, a panel is
            // whole, and the tile has room for the largest.
            unsafe {
                let levels = levels.as_ptr().add(first * row_size).cast();
                let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
                I::integers(count, levels, stride, weights, groups, sums);
            }
            for (at, sums) in sums.chunks_exact_mut(I::COLUMNS).take(count).enumerate() {
                let row = first + at;
                let of_panel = panel * I::COLUMNS..(panel + 1) * I::COLUMNS;
                columns.correct::<I>(of_panel.clone(), scales[row], sums);
                let mut values = [0f32; WIDEST_PANEL];
                let values = &mut values[..I::COLUMNS];
                let (scale, bias) = (scales[row].scale, &product.linear.bias[of_panel.clone()]);
                let of_columns = &columns.scales[of_panel];
                for at in 0..I::COLUMNS {
                    values[at] = sums[at] as f32 * (scale * of_columns[at]) + bias[at];
                }
                finish(product, row, panel, values);
            }
        }
    }
}

impl Columns {
    /// Takes off what zero points add to the sums of a row.
    #[inline(always)]
    fn correct<I: Isa>(&self, of_panel: Range<usize>, row: RowScale, sums: &mut [i32]) {
        if !I::CENTRED {
            for (sum, column) in sums.iter_mut().zip(&self.sums[of_panel.clone()]) {
                *sum -= (row.zero - I::OFFSET) * column;
            }
        }
        if !self.zeros.is_empty() {
            for (sum, zero) in sums.iter_mut().zip(&self.zeros[of_panel]) {
                *sum -= zero * row.sum;
            }
        }
    }
}

/// From the values of a row in one panel to its outputs.
#[inline(always)]
fn finish(product: &Product<'_>, row: usize, panel: usize, values: &mut [f32]) {
    let linear = product.linear;
    let width = match linear.activation {
        Activation::None => values.len(),
        Activation::Gelu => each(values, gelu),
        Activation::GeluTanh => each(values, gelu_tanh),
        Activation::GatedGelu => gate(values, gelu),
        Activation::GatedGeluTanh => gate(values, gelu_tanh),
    };
    let first = panel * width;
    let width = width.min(linear.outer - first);
    let start = row * linear.outer + first;
    // SAFETY: every row and panel is computed by one task alone.
    let out = unsafe { product.out.part(start..start + width) };
    match product.residual {
        Some(residual) => {
            let residual = &residual[start..start + width];
            for ((out, value), residual) in out.iter_mut().zip(&*values).zip(residual) {
                *out = value + residual;
            }
        }
        None => out.copy_from_slice(&values[..width]),
    }
}

#[inline(always)]
fn each(values: &mut [f32], activation: impl Fn(f32) -> f32) -> usize {
    for value in &mut *values {
        *value = activation(*value);
    }
    values.len()
}

#[inline(always)]
fn gate(values: &mut [f32], activation: impl Fn(f32) -> f32) -> usize {
    let half = values.len() / 2;
    let (left, right) = values.split_at_mut(half);
    for (left, right) in left.iter_mut().zip(right) {
        *left = activation(*left) * *right;
    }
    half
}
