//! The product of quantized rows and weights, tile by tile, and what follows
//! it while a tile is still in registers or next to them.

use std::ops::Range;

use super::super::exp::{gelu, gelu_tanh};
use super::super::isa::{Isa, LARGEST_TILE, WIDEST_PANEL};
use super::super::parallel::Shared;
use super::levels::RowScale;
use super::{Activation, QuantizedLinear};

/// A product that is computed in parts.
pub(in super::super) struct Product<'a> {
    pub(super) linear: &'a QuantizedLinear,
    /// `[rows, stride]` of the instruction set's levels.
    pub(super) levels: &'a [u8],
    pub(super) stride: usize,
    pub(super) scales: &'a [RowScale],
    pub(super) residual: Option<&'a [f32]>,
    /// `[rows, outer]`.
    pub(super) out: Shared<'a, f32>,
}

/// Computes the outputs of some rows and panels.
#[inline(always)]
pub(in super::super) fn multiply_tiles<I: Isa>(
    product: &Product<'_>,
    rows: Range<usize>,
    panels: Range<usize>,
) {
    let groups = product.stride / I::GROUP;
    let panel_size = groups * I::GROUP * I::COLUMNS;
    let row_size = product.stride * size_of::<I::Level>();
    assert!(
        product.scales.len() * row_size == product.levels.len() && rows.end <= product.scales.len()
    );
    let mut scratch = Vec::new();
    let mut sums = [0i32; LARGEST_TILE];
    for panel in panels {
        let packed = &product.linear.panels[panel * panel_size..(panel + 1) * panel_size];
        let weights = I::weights(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            // SAFETY: levels are whole rows up to `rows.end`, a panel is
            // whole, and the tile has room for the largest; the instructions
            // are there, or nobody could have asked for this `I`.
            unsafe {
                let levels = product.levels.as_ptr().add(first * row_size);
                let (levels, sums) = (levels.cast(), sums.as_mut_ptr());
                I::integers(
                    count,
                    levels,
                    product.stride,
                    weights.as_ptr(),
                    groups,
                    sums,
                );
            }
            for (at, sums) in sums.chunks_exact(I::COLUMNS).take(count).enumerate() {
                finish::<I>(product, first + at, panel, sums);
            }
        }
    }
}

/// From the sums of a row to its outputs in one panel.
#[inline(always)]
fn finish<I: Isa>(product: &Product<'_>, row: usize, panel: usize, sums: &[i32]) {
    let linear = product.linear;
    let of_panel = panel * I::COLUMNS..(panel + 1) * I::COLUMNS;
    let (scales, bias) = (
        &linear.columns.scales[of_panel.clone()],
        &linear.columns.bias[of_panel.clone()],
    );
    let RowScale { scale, zero, sum } = product.scales[row];
    let mut corrected = [0i32; WIDEST_PANEL];
    let corrected = &mut corrected[..I::COLUMNS];
    corrected.copy_from_slice(&sums[..I::COLUMNS]);
    if !I::CENTRED {
        let columns = &linear.columns.sums[of_panel.clone()];
        for (corrected, column) in corrected.iter_mut().zip(columns) {
            *corrected -= (zero - I::OFFSET) * column;
        }
    }
    if !linear.columns.zeros.is_empty() {
        let zeros = &linear.columns.zeros[of_panel];
        for (corrected, zero) in corrected.iter_mut().zip(zeros) {
            *corrected -= zero * sum;
        }
    }
    let mut values = [0f32; WIDEST_PANEL];
    let values = &mut values[..I::COLUMNS];
    for at in 0..I::COLUMNS {
        values[at] = corrected[at] as f32 * (scale * scales[at]) + bias[at];
    }
    let width = match linear.activation {
        Activation::None => I::COLUMNS,
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
