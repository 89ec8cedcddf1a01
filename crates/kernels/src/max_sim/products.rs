//! All products of rows with those of queries.

use super::super::aligned::OnLine;
use super::super::isa::{Isa, MAX_TILE, Strided, entry};
use super::QueryFormat;
use super::pack::{Packed, Panels};

#[inline(always)]
fn products<I: Isa>(isa: I, packed: &Packed, rows: &[f32], out: &mut [f32]) {
    assert_eq!(packed.format, QueryFormat::Floats, "queries of floats");
    let panels: &[f32] = match &packed.panels {
        Panels::Floats(panels) => panels,
        Panels::Integers(_) => &[],
    };
    let columns = packed.columns;
    let queries = packed.ends.last().copied().unwrap_or(0);
    let count = rows.len().checked_div(columns).unwrap_or(0);
    assert_eq!(rows.len(), count * columns, "whole rows");
    assert_eq!(out.len(), count * queries, "a product for each pair");
    let OnLine(sums) = &mut OnLine([0f32; MAX_TILE]);
    let size = columns * I::COLUMNS;
    for first in (0..count).step_by(I::ROWS) {
        let tile = (count - first).min(I::ROWS);
        for panel in 0..queries.div_ceil(I::COLUMNS) {
            let weights = &panels[panel * size..(panel + 1) * size];
            // SAFETY: `rows` has the rows of the tile, the slice is a panel of that
            // depth, and no tile is larger than `MAX_TILE`.
            unsafe {
                isa.multiply_floats(
                    tile,
                    Strided {
                        first: rows.as_ptr().add(first * columns),
                        stride: columns,
                    },
                    weights.as_ptr(),
                    columns,
                    Strided {
                        first: sums.as_mut_ptr(),
                        stride: I::COLUMNS,
                    },
                );
            }
            let start = panel * I::COLUMNS;
            let end = (start + I::COLUMNS).min(queries);
            for (row, sums) in sums.chunks_exact(I::COLUMNS).take(tile).enumerate() {
                let out = &mut out[(first + row) * queries..(first + row + 1) * queries];
                out[start..end].copy_from_slice(&sums[..end - start]);
            }
        }
    }
}

entry! {
    /// Writes the products of `rows` with all rows of the queries,
    /// `[rows, query rows]`.
    products_with, Products<'a> = products(
        packed: &'a Packed,
        rows: &'a [f32],
        out: &'a mut [f32],
    )
}
