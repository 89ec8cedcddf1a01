//! The product of activations and weights, tile by tile.

use std::ops::Range;

use super::super::aligned::OnLine;
use super::super::isa::{Isa, LINE, MAX_BLOCKS, MAX_TILE, Strided, entry};
use super::operands::{Operands, Product};
use super::outputs::{Destination, write};
use super::overflow::{OverflowCorrections, QuantizedRows};
use super::tile::{FloatTile, IntegerTile, PanelParameters};

entry! {
    /// Multiplies rows and panels, see [`multiply_tiles`].
    multiply, Multiply<'a> = multiply_tiles(
        product: &'a Product<'a>,
        rows: Range<usize>,
        panels: Range<usize>,
    )
}

/// Computes the outputs of some rows and panels.
#[inline(always)]
fn multiply_tiles<I: Isa>(isa: I, product: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
    match product.operands {
        Operands::Floats { .. } => floats(isa, product, rows, panels),
        Operands::Integers { .. } => integers(isa, product, rows, panels),
    }
}

#[inline(always)]
fn floats<I: Isa>(isa: I, product: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
    let Operands::Floats {
        rows: left,
        panels: weights,
    } = product.operands
    else {
        return;
    };
    let inner = product.linear.inner;
    let panel_size = inner * I::COLUMNS;
    let left = &left[..rows.end * inner];
    let OnLine(sums) = &mut OnLine([0f32; MAX_TILE]);
    let OnLine(partial) = &mut OnLine([0f32; MAX_TILE]);
    for panel in panels {
        let weights = &weights[panel * panel_size..(panel + 1) * panel_size];
        let bias = &product.linear.bias[panel * I::COLUMNS..(panel + 1) * I::COLUMNS];
        for first in rows.clone().step_by(I::ROWS) {
            let count = (rows.end - first).min(I::ROWS);
            prefetch_outputs::<I>(product, first..first + count, panel);
            // SAFETY: the slices above hold rows up to `rows.end` and a whole
            // panel of `inner` rows; no instruction set's tile is larger than
            // `MAX_TILE`.
            unsafe {
                let left = left.as_ptr().add(first * inner);
                let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
                isa.multiply_floats(
                    count,
                    Strided {
                        first: left,
                        stride: inner,
                    },
                    weights,
                    inner,
                    Strided {
                        first: sums,
                        stride: I::COLUMNS,
                    },
                );
            }
            let tile = FloatTile { sums, bias, isa };
            let destination = Destination {
                product,
                rows: first..first + count,
                panel,
            };
            write(isa, destination, &tile, partial);
        }
    }
}

#[inline(always)]
fn integers<I: Isa>(isa: I, product: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
    let Operands::Integers {
        quantized,
        largest,
        scales,
        stride,
        weights,
        columns,
    } = product.operands
    else {
        return;
    };
    let panel_size = stride * I::COLUMNS;
    let row_size = stride * size_of::<I::Quantized>();
    let quantized = &quantized[..rows.end * row_size];
    let block_size = I::block_size(stride);
    let blocks = stride.div_ceil(block_size);
    let cache_lines = panel_size.div_ceil(LINE * size_of::<f32>());
    let lines_per_tile = cache_lines.div_ceil(rows.len().div_ceil(I::ROWS).max(1));
    let corrections = match I::NARROW {
        Some(_) => columns.overflow.as_ref(),
        None => None,
    };
    // What the faster product subtracts from values, where they are in its range.
    let middle = corrections
        .filter(|corrections| largest <= corrections.largest())
        .map(OverflowCorrections::middle);
    let mut scratch = Vec::new();
    assert!(
        blocks <= I::BLOCKS && I::BLOCKS <= MAX_BLOCKS,
        "blocks of a row"
    );
    let OnLine(sums) = &mut OnLine([[0i32; MAX_TILE]; MAX_BLOCKS]);
    let OnLine(partial) = &mut OnLine([0f32; MAX_TILE]);
    for panel in panels {
        let packed = &weights[panel * panel_size..(panel + 1) * panel_size];
        let weights = isa.widen(packed, &mut scratch);
        assert_eq!(weights.len(), panel_size, "a panel of weights");
        let columns = PanelParameters::new::<I>(columns, &product.linear.bias, panel, blocks);
        for (tile, first) in rows.clone().step_by(I::ROWS).enumerate() {
            let count = (rows.end - first).min(I::ROWS);
            prefetch_outputs::<I>(product, first..first + count, panel);
            prefetch_next_panel::<I>(packed, tile * lines_per_tile..(tile + 1) * lines_per_tile);
            let scales = &scales[first * blocks..(first + count) * blocks];
            for (block, sums) in sums.iter_mut().enumerate().take(blocks) {
                let start = block * block_size;
                let groups = (stride - start).min(block_size) / I::GROUP;
                // SAFETY: the slices above hold quantized rows up to `rows.end`
                // and a whole panel of `stride` rows; the block ends within them.
                // No instruction set's tile is larger than `MAX_TILE`.
                unsafe {
                    let rows = quantized
                        .as_ptr()
                        .add(first * row_size)
                        .cast::<I::Quantized>();
                    let rows = rows.add(start);
                    let weights = weights.as_ptr().add(start * I::COLUMNS);
                    let to = sums.as_mut_ptr();
                    let rows = Strided {
                        first: rows,
                        stride,
                    };
                    match middle {
                        None => isa.multiply_integers(count, rows, weights, groups, to),
                        Some(middle) => {
                            isa.multiply_narrow(count, rows, weights, groups, to, middle);
                        }
                    }
                    if let Some(corrections) = corrections {
                        let rows = QuantizedRows {
                            first: rows.first,
                            stride,
                            count,
                            subtracted: middle.unwrap_or(0),
                        };
                        corrections.add::<I>(panel * blocks + block, rows, sums);
                    }
                }
                columns.subtract_zero_points::<I>(&scales[block..], blocks, sums);
            }
            let tile = IntegerTile {
                offset: I::OFFSET + middle.unwrap_or(0),
                columns: &columns,
                scales,
                sums: &sums[..blocks],
                isa,
            };
            let destination = Destination {
                product,
                rows: first..first + count,
                panel,
            };
            write(isa, destination, &tile, partial);
        }
    }
}

/// Prefetches some cache lines of the panel that follows `panel`, a few with each
/// tile: a model's weights do not stay in a core's caches from one batch to the
/// next.
#[inline(always)]
fn prefetch_next_panel<I: Isa>(panel: &[i8], cache_lines: Range<usize>) {
    let next = panel.as_ptr().wrapping_add(panel.len()).cast::<f32>();
    for line in cache_lines {
        I::prefetch_read(next.wrapping_add(line * LINE));
    }
}

/// Prefetches the outputs of a tile while it is computed: rows are far from each
/// other in memory, so each would be a cache miss.
#[inline(always)]
fn prefetch_outputs<I: Isa>(product: &Product<'_>, rows: Range<usize>, panel: usize) {
    let outer = product.out.stride;
    let width = product.linear.activation.width::<I>();
    let out = product.out.values.at((panel - product.out.panel) * width);
    let residual = product
        .residual
        .map(|all| all.as_ptr().wrapping_add(panel * width));
    for row in rows {
        // A constant count, so that the loop is unrolled; a gated panel prefetches
        // its last line twice.
        for line in 0..I::COLUMNS.div_ceil(LINE) {
            let at = row * outer + (line * LINE).min(width.saturating_sub(LINE));
            I::prefetch_write(out.wrapping_add(at));
            if let Some(residual) = residual {
                I::prefetch_write(residual.wrapping_add(at));
            }
        }
    }
}
