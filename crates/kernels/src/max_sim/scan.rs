//! The scores of a range of documents.

use std::ops::Range;
use std::sync::OnceLock;

use super::super::aligned::Aligned;
use super::super::isa::{Isa, MAX_LANES, entry};
use super::ahead::Ahead;
use super::lift::Lifted;
use super::lookup::{Lookup, Tables, is_looked_up};
use super::maxima::{Maxima, Of};
use super::pack::{Packed, Panels};
use super::tiles::{self, Weights, floats, integers, is_wide, wide};
use super::{DocumentRows, Documents, RowFormat};

/// Rows of a block, about: they stay in a first cache, beside a query, while all
/// queries are multiplied with them.
const BLOCK_ROWS: usize = 24;
/// Queries and the documents they are compared with.
pub(super) struct Scan<'a> {
    pub(super) packed: &'a Packed,
    pub(super) tables: &'a OnceLock<Tables>,
    pub(super) documents: Documents<'a>,
}

#[inline(always)]
fn scan<I: Isa>(isa: I, scan: &Scan<'_>, documents: Range<usize>, out: &mut [f32]) {
    let Documents { rows, ends } = scan.documents;
    let queries = scan.packed.ends.len();
    out.fill(0.);
    let first = first_row(ends, documents.start);
    let Some(end) = documents.clone().next_back().map(|last| ends[last]) else {
        return;
    };
    if let Panels::Integers(panels) = &scan.packed.panels
        && is_looked_up::<I>(scan.packed, rows, documents.clone().map(rows_of(ends)))
    {
        return look_up(isa, scan, panels, documents, out);
    }
    let mut weights = Vec::new();
    let weights = match &scan.packed.panels {
        Panels::Integers(panels) => isa.widen(panels, &mut weights),
        Panels::Floats(_) => &[],
    };
    let weights = Weights {
        weights,
        wide: match &scan.packed.panels {
            Panels::Integers(panels) if is_wide::<I>(rows) => wide::<I>(panels),
            _ => Aligned::new(),
        },
    };
    let (mut lifted, mut maxima) = (Lifted::default(), Maxima::default());
    let (mut open, mut row) = (documents.start, first);
    while row < end {
        let last = (row + BLOCK_ROWS.next_multiple_of(I::ROWS)).min(end);
        let of = Of {
            ends,
            width: scan.packed.padded_rows(),
        };
        maxima.start(row..last, open, of);
        let block = part(rows, row..last, scan.packed.columns);
        let tile_rows = (last - row).div_ceil(tiles::rows::<I>());
        let mut ahead = Ahead::of::<I>(scan.packed, block, tile_rows);
        match &scan.packed.panels {
            Panels::Floats(panels) => {
                let buffers = (&mut lifted, &mut maxima);
                floats(isa, scan.packed, block, panels, buffers, &mut ahead)
            }
            Panels::Integers(_) => {
                let buffers = (&mut lifted, &mut maxima);
                integers(isa, scan.packed, block, &weights, buffers, &mut ahead)
            }
        }
        let width = scan.packed.padded_rows();
        for (slot, &document) in maxima.documents.iter().enumerate() {
            if ends[document] <= last {
                let at = (document - documents.start) * queries;
                let check: f32 = maxima.checks[slot * MAX_LANES..(slot + 1) * MAX_LANES]
                    .iter()
                    .sum();
                let most = &maxima.values[slot * width..(slot + 1) * width];
                finish(scan, most, check, &mut out[at..at + queries]);
            }
        }
        let slot = maxima.documents.len() - 1;
        let document = maxima.documents[slot];
        open = if ends[document] <= last {
            document + 1
        } else {
            maxima
                .values
                .copy_within(slot * width..(slot + 1) * width, 0);
            maxima
                .checks
                .copy_within(slot * MAX_LANES..(slot + 1) * MAX_LANES, 0);
            document
        };
        row = last;
    }
}

/// Where the rows of a document begin.
fn first_row(ends: &[usize], document: usize) -> usize {
    document.checked_sub(1).map_or(0, |before| ends[before])
}

/// The rows of a document.
fn rows_of(ends: &[usize]) -> impl Fn(usize) -> Range<usize> {
    |document| first_row(ends, document)..ends[document]
}

/// The same for bits whose sums are looked up.
#[inline(always)]
fn look_up<I: Isa>(
    isa: I,
    scan: &Scan<'_>,
    panels: &[i8],
    documents: Range<usize>,
    out: &mut [f32],
) {
    let Documents { rows, ends } = scan.documents;
    let packed = scan.packed;
    let size = rows.format.row_size(packed.columns);
    let tables = scan.tables.get_or_init(|| Tables::new::<I>(packed, panels));
    let mut lookup = Lookup::new::<I>(tables);
    let mut maxima = vec![0.; packed.padded_rows()];
    for (document, out) in documents.zip(out.chunks_exact_mut(packed.ends.len().max(1))) {
        let range = rows_of(ends)(document);
        if range.is_empty() {
            continue;
        }
        let bytes = &rows.bytes[size * range.start..size * range.end];
        lookup.largest(isa, bytes, |row, most| {
            // Sums of the columns that are 1, less those that are not.
            maxima[row] = (2 * most - packed.sums[row]) as f32;
        });
        finish(scan, &maxima, 0., out);
    }
}

/// The rows of a block.
#[inline(always)]
fn part<'a>(rows: DocumentRows<'a>, range: Range<usize>, columns: usize) -> DocumentRows<'a> {
    let size = rows.format.row_size(columns);
    let scales = match rows.format {
        RowFormat::Integers => 4 * range.start..4 * range.end,
        _ => 0..0,
    };
    DocumentRows {
        format: rows.format,
        bytes: &rows.bytes[size * range.start..size * range.end],
        scales: &rows.scales[scales],
    }
}

/// The scores of a document from the maxima of its rows.
#[inline(always)]
fn finish(scan: &Scan<'_>, maxima: &[f32], check: f32, out: &mut [f32]) {
    let Packed {
        ends,
        scales,
        columns,
        ..
    } = scan.packed;
    let of_document = match scan.documents.rows.format {
        RowFormat::Bits => 1. / (*columns as f32).sqrt(),
        _ => 1.,
    };
    let mut start = 0;
    for (out, &end) in out.iter_mut().zip(ends) {
        let rows = maxima[start..end].iter().zip(&scales[start..end]);
        let sum: f32 = rows.map(|(most, scale)| most * scale).sum();
        let score = sum * of_document + check;
        // NaN if it is infinite: products of finite numbers were too large.
        *out = score + 0. * score;
        start = end;
    }
}

entry! {
    /// Writes the scores of a range of documents, `[documents, queries]`.
    scan_with, ScanEntry<'a> = scan(
        scan: &'a Scan<'a>,
        documents: Range<usize>,
        out: &'a mut [f32],
    )
}
