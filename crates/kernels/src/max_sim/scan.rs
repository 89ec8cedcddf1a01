//! The scores of a range of documents.

use std::ops::Range;

use super::super::aligned::{Aligned, OnLine};
use super::super::isa::{Isa, LINE, MAX_LANES, MAX_TILE, Strided, Vector, entry};
use super::lift::{Lifted, offset};
use super::pack::{Packed, Panels};
use super::{DocumentRows, Documents, RowFormat};

/// Tiles of a block, whose rows stay in a first cache, beside a query, while all
/// queries are multiplied with them.
const BLOCK_TILES: usize = 2;
/// Blocks that are prefetched before they are read.
const BLOCKS_AHEAD: usize = 2;

/// Queries and the documents they are compared with.
pub(super) struct Scan<'a> {
    pub(super) packed: &'a Packed,
    pub(super) documents: Documents<'a>,
}

/// The maxima of the documents in a block, of which the first may have begun
/// before.
#[derive(Default)]
struct Maxima {
    /// `[documents, padded query rows]`
    values: Aligned<f32>,
    /// `[documents, MAX_LANES]`: NaN if a product is not finite, otherwise 0.
    checks: Aligned<f32>,
    /// For each row of the block, which of them it belongs to.
    slots: Vec<usize>,
    /// The documents.
    documents: Vec<usize>,
}

impl Maxima {
    /// Lists the documents of `rows`; the first is `open`. Keeps the first maxima
    /// if that document has begun before.
    #[inline(always)]
    fn start(&mut self, rows: Range<usize>, open: usize, scan: &Scan<'_>) {
        let ends = scan.documents.ends;
        let width = scan.packed.padded_rows();
        let begun = match open.checked_sub(1).map(|before| ends[before]) {
            Some(start) => start < rows.start,
            None => rows.start > 0,
        };
        self.slots.clear();
        self.documents.clear();
        let (mut at, mut document) = (rows.start, open);
        while at < rows.end {
            let end = ends[document].min(rows.end);
            if end > at {
                self.slots.extend((at..end).map(|_| self.documents.len()));
                self.documents.push(document);
                at = end;
            }
            document += 1;
        }
        let count = self.documents.len();
        self.values.resize(count * width, 0.);
        self.checks.resize(count * MAX_LANES, 0.);
        let kept = usize::from(begun);
        self.values[kept * width..].fill(f32::NEG_INFINITY);
        self.checks[kept * MAX_LANES..].fill(0.);
    }

    /// Folds `count` rows of a tile into the maxima of a panel; `value` is a vector
    /// of products of a row of the tile.
    #[inline(always)]
    fn fold<I: Isa>(&mut self, isa: I, tile: Tile, value: impl Fn(usize, usize) -> I::Vector) {
        let Tile { rows, panel, width } = tile;
        let slots = &self.slots[rows.clone()];
        let zero = isa.splat(0.);
        let mut at = 0;
        while at < slots.len() {
            let slot = slots[at];
            let run = slots[at..].iter().take_while(|&&next| next == slot).count();
            let first = slot * width + panel * I::COLUMNS;
            let maxima = &mut self.values[first..first + I::COLUMNS];
            let check = &mut self.checks[slot * MAX_LANES..(slot + 1) * MAX_LANES];
            // SAFETY: both slices have whole vectors.
            unsafe {
                let mut checked = isa.load(check.as_ptr());
                for vector in 0..I::COLUMNS / I::Vector::LANES {
                    let place = maxima.as_mut_ptr().add(vector * I::Vector::LANES);
                    let mut most = isa.load(place);
                    for row in at..at + run {
                        let value = value(row, vector);
                        checked = value.mul_add(zero, checked);
                        most = value.max(most);
                    }
                    most.store(place);
                }
                checked.store(check.as_mut_ptr());
            }
            at += run;
        }
    }
}

/// The rows of a tile in their block, and the panel they are multiplied with.
struct Tile {
    rows: Range<usize>,
    panel: usize,
    /// Padded rows of all queries.
    width: usize,
}

#[inline(always)]
fn scan<I: Isa>(isa: I, scan: &Scan<'_>, documents: Range<usize>, out: &mut [f32]) {
    let Documents { rows, ends } = scan.documents;
    let queries = scan.packed.ends.len();
    out.fill(0.);
    let first = documents.start.checked_sub(1).map_or(0, |at| ends[at]);
    let Some(end) = documents.clone().next_back().map(|last| ends[last]) else {
        return;
    };
    let mut weights = Vec::new();
    let weights = match &scan.packed.panels {
        Panels::Integers(panels) => isa.widen(panels, &mut weights),
        Panels::Floats(_) => &[],
    };
    let (mut lifted, mut maxima) = (Lifted::default(), Maxima::default());
    let (mut open, mut row) = (documents.start, first);
    while row < end {
        let last = (row + BLOCK_TILES * I::ROWS).min(end);
        maxima.start(row..last, open, scan);
        let block = part(rows, row..last, scan.packed.columns);
        for at in (0..block.bytes.len()).step_by(LINE * size_of::<f32>()) {
            let ahead = at + BLOCKS_AHEAD * block.bytes.len();
            I::prefetch_read(block.bytes.as_ptr().wrapping_add(ahead).cast());
        }
        match &scan.packed.panels {
            Panels::Floats(panels) => floats(isa, scan, block, panels, &mut lifted, &mut maxima),
            Panels::Integers(_) => integers(isa, scan, block, weights, &mut lifted, &mut maxima),
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
        *out = sum * of_document + check;
        start = end;
    }
}

/// The scale of a row of integers, 1 for others.
#[inline(always)]
fn scale(rows: DocumentRows<'_>, row: usize) -> f32 {
    let bytes = rows.scales.as_chunks::<4>().0;
    bytes
        .get(row)
        .map_or(1., |bytes| f32::from_ne_bytes(*bytes))
}

#[inline(always)]
fn floats<I: Isa>(
    isa: I,
    scan: &Scan<'_>,
    rows: DocumentRows<'_>,
    panels: &[f32],
    lifted: &mut Lifted,
    maxima: &mut Maxima,
) {
    let (columns, width) = (scan.packed.columns, scan.packed.padded_rows());
    let left = lifted.floats(rows, columns);
    let OnLine(sums) = &mut OnLine([0f32; MAX_TILE]);
    let count = maxima.slots.len();
    for (panel, first) in (0..width / I::COLUMNS)
        .flat_map(|panel| (0..count).step_by(I::ROWS).map(move |first| (panel, first)))
    {
        let range = first..(first + I::ROWS).min(count);
        let size = columns * I::COLUMNS;
        let weights = &panels[panel * size..(panel + 1) * size];
        // SAFETY: the block has `count` rows of `columns` floats, the slice is a
        // panel of that depth, and no tile is larger than `MAX_TILE`.
        unsafe {
            isa.multiply_floats(
                range.len(),
                Strided {
                    first: left.first.add(first * left.stride),
                    stride: left.stride,
                },
                weights.as_ptr(),
                columns,
                Strided {
                    first: sums.as_mut_ptr(),
                    stride: I::COLUMNS,
                },
            );
        }
        let sums = &*sums;
        // SAFETY: the tile has whole vectors, in each of its rows.
        let load = |row: usize, vector: usize| unsafe {
            isa.load(
                sums.as_ptr()
                    .add(row * I::COLUMNS + vector * I::Vector::LANES),
            )
        };
        let tile = Tile {
            rows: range,
            panel,
            width,
        };
        match rows.format {
            RowFormat::Integers => maxima.fold(isa, tile, |row, vector| {
                load(row, vector).mul(isa.splat(scale(rows, first + row)))
            }),
            _ => maxima.fold(isa, tile, load),
        }
    }
}

#[inline(always)]
fn integers<I: Isa>(
    isa: I,
    scan: &Scan<'_>,
    rows: DocumentRows<'_>,
    weights: &[I::Weight],
    lifted: &mut Lifted,
    maxima: &mut Maxima,
) {
    let Packed {
        depth,
        sums: of_queries,
        ..
    } = scan.packed;
    let width = scan.packed.padded_rows();
    let left = lifted.integers::<I>(rows, scan.packed);
    let OnLine(sums) = &mut OnLine([0i32; MAX_TILE]);
    let count = maxima.slots.len();
    for (panel, first) in (0..width / I::COLUMNS)
        .flat_map(|panel| (0..count).step_by(I::ROWS).map(move |first| (panel, first)))
    {
        let range = first..(first + I::ROWS).min(count);
        let size = depth * I::COLUMNS;
        let weights = &weights[panel * size..(panel + 1) * size];
        // SAFETY: the block has `count` rows of `depth` integers, the slice is a
        // panel of that depth, and no tile is larger than `MAX_TILE`.
        unsafe {
            let left = Strided {
                first: left.first.add(first * left.stride),
                stride: left.stride,
            };
            let (count, groups) = (range.len(), depth / I::GROUP);
            let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
            if rows.format == RowFormat::Bits {
                // No weights are too large for values of 0 and 1.
                isa.multiply_narrow(count, left, weights, groups, sums, 0);
            } else {
                isa.multiply_integers(count, left, weights, groups, sums);
            }
        }
        let (sums, of_queries) = (&*sums, &of_queries[panel * I::COLUMNS..][..I::COLUMNS]);
        let tile = Tile {
            rows: range,
            panel,
            width,
        };
        // SAFETY: the tile has whole vectors, in each of its rows, and so have the
        // sums of the panel's columns.
        unsafe {
            let at = |row: usize, vector: usize| {
                sums.as_ptr()
                    .add(row * I::COLUMNS + vector * I::Vector::LANES)
            };
            let of_columns = |vector: usize| of_queries.as_ptr().add(vector * I::Vector::LANES);
            match rows.format {
                // Sums of the columns that are 1, less those that are not.
                RowFormat::Bits => maxima.fold(isa, tile, |row, vector| {
                    let sum = isa.load_integers(at(row, vector));
                    sum.add(sum).sub(isa.load_integers(of_columns(vector)))
                }),
                _ if offset::<I>() == 0 => maxima.fold(isa, tile, |row, vector| {
                    let sum = isa.load_integers(at(row, vector));
                    sum.mul(isa.splat(scale(rows, first + row)))
                }),
                _ => maxima.fold(isa, tile, |row, vector| {
                    let (at, of_columns) = (at(row, vector), of_columns(vector));
                    let sum = isa.load_integers_less(at, offset::<I>(), of_columns);
                    sum.mul(isa.splat(scale(rows, first + row)))
                }),
            }
        }
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
