//! The product of quantized rows and weights, tile by tile.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::aligned::OnLine;
use super::super::isa::{Isa, LARGEST_TILE, LINE, MOST_BLOCKS};
use super::outputs::write;
use super::quantize::RowScale;
use super::tile::{FloatTile, IntegerTile, OfPanel};
use super::{Columns, Linear};
use crate::threads::Shared;

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
    let OnLine(sums) = &mut OnLine([0f32; LARGEST_TILE]);
    let OnLine(part) = &mut OnLine([0f32; LARGEST_TILE]);
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
                sums,
                bias,
                isa: PhantomData::<I>,
            };
            write::<I, _>(product, first..first + count, panel, &tile, part);
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
    let lines = panel_size.div_ceil(LINE * size_of::<f32>());
    let share = lines.div_ceil(rows.len().div_ceil(I::ROWS).max(1));
    let rests = match I::NARROW {
        Some(_) => columns.rests.as_ref(),
        None => None,
    };
    let mut scratch = Vec::new();
    assert!(
        blocks <= I::BLOCKS && I::BLOCKS <= MOST_BLOCKS,
        "blocks of a row"
    );
    let OnLine(sums) = &mut OnLine([[0i32; LARGEST_TILE]; MOST_BLOCKS]);
    let OnLine(part) = &mut OnLine([0f32; LARGEST_TILE]);
    for panel in panels {
        let packed = &weights[panel * panel_size..(panel + 1) * panel_size];
        let weights = I::weights(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        let columns = OfPanel::new::<I>(columns, &product.linear.bias, panel, blocks);
        for (tile, first) in rows.clone().step_by(I::ROWS).enumerate() {
            let count = (rows.end - first).min(I::ROWS);
            expect_writes::<I>(product, first..first + count, panel);
            expect_weights::<I>(packed, tile * share..(tile + 1) * share);
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
            write::<I, _>(product, first..first + count, panel, &tile, part);
        }
    }
}

/// Has some lines of the panel behind this one brought near, others with each of
/// its tiles: a model's weights do not stay in a core's caches from one batch to
/// the next.
#[inline(always)]
fn expect_weights<I: Isa>(panel: &[i8], lines: Range<usize>) {
    let next = panel.as_ptr().wrapping_add(panel.len()).cast::<f32>();
    for line in lines {
        I::expect_read(next.wrapping_add(line * LINE));
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
