//! Queries in the order in which products read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Layout};
use super::super::rounding::nearest;
use super::{Documents, MAX_COLUMNS, QueryFormat, RowFormat};

/// The largest integer of a query.
const LARGEST: f32 = 127.;

/// The numbers of all queries: each row is a column of a panel.
#[derive(Clone, Debug)]
pub(super) enum Panels {
    /// `[panels, columns, COLUMNS]`
    Floats(Aligned<f32>),
    /// `[panels, groups, COLUMNS, GROUP]`
    Integers(Aligned<i8>),
}

/// Queries in panels, padded with rows of zeros.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) format: QueryFormat,
    pub(super) panels: Panels,
    pub(super) columns: usize,
    /// Numbers of a row in a panel: `columns`, rounded up to whole groups.
    pub(super) depth: usize,
    /// For each query the row after its last one.
    pub(super) ends: Vec<usize>,
    /// For each row, padding included, what its products are multiplied by.
    pub(super) scales: Aligned<f32>,
    /// For each row, padding included, the sum of its integers.
    pub(super) sums: Aligned<i32>,
}

impl Packed {
    pub(super) fn new(
        layout: Layout,
        queries: &[&[f32]],
        columns: usize,
        format: QueryFormat,
    ) -> Self {
        let mut ends = Vec::with_capacity(queries.len());
        let mut rows = 0;
        for query in queries {
            let count = query.len().checked_div(columns).unwrap_or(0);
            assert_eq!(query.len(), count * columns, "whole rows of queries");
            rows += count;
            ends.push(rows);
        }
        let padded = rows.next_multiple_of(layout.columns);
        // Where products take no signed integers of 8 bits, integers are multiplied
        // as floats, which is exact.
        let is_integer = format != QueryFormat::Floats && layout.takes_signed;
        let depth = match is_integer {
            true => columns.next_multiple_of(layout.group),
            false => columns,
        };
        let mut packed = Self {
            format,
            panels: Panels::Floats(Aligned::new()),
            columns,
            depth,
            ends,
            scales: filled(padded, 1.),
            sums: filled(padded, 0),
        };
        let rows = queries
            .iter()
            .flat_map(|query| query.chunks_exact(columns.max(1)));
        if format == QueryFormat::Floats {
            packed.panels = Panels::Floats(floats(layout, rows, padded * depth));
            return packed;
        }
        assert!(columns <= MAX_COLUMNS, "columns whose products are exact");
        let integers: Vec<Vec<i8>> = rows
            .zip(packed.scales.iter_mut().zip(packed.sums.iter_mut()))
            .map(|(row, (scale, sum))| {
                let (found, quantized) = quantized(row, format);
                *scale = found;
                *sum = quantized.iter().map(|&value| i32::from(value)).sum();
                quantized
            })
            .collect();
        packed.panels = if is_integer {
            Panels::Integers(panels_of_integers(layout, &integers, padded * depth))
        } else {
            let rows: Vec<Vec<f32>> = integers
                .iter()
                .map(|row| row.iter().copied().map(f32::from).collect())
                .collect();
            let rows = rows.iter().map(Vec::as_slice);
            Panels::Floats(floats(layout, rows, padded * depth))
        };
        packed
    }

    /// Rows of all queries, with those that fill the last panel.
    pub(super) fn padded_rows(&self) -> usize {
        self.scales.len()
    }

    /// An integer of a row of `panels`; 0 beyond its columns.
    #[inline(always)]
    pub(super) fn integer<I: Isa>(&self, panels: &[i8], row: usize, column: usize) -> i8 {
        if column >= self.columns {
            return 0;
        }
        let (panel, of_panel) = (row / I::COLUMNS, row % I::COLUMNS);
        let (group, within) = (column / I::GROUP, column % I::GROUP);
        let place = (group * I::COLUMNS + of_panel) * I::GROUP + within;
        panels[panel * I::COLUMNS * self.depth + place]
    }

    /// # Panics
    /// If documents are not what they say they are, or not for this format.
    pub(super) fn check(&self, documents: Documents<'_>) {
        let Documents { rows, ends } = documents;
        let fits = match self.format {
            QueryFormat::Floats => true,
            QueryFormat::Integers => {
                matches!(rows.format, RowFormat::Integers | RowFormat::Bits)
            }
            QueryFormat::Bits => rows.format == RowFormat::Bits,
        };
        assert!(fits, "{:?} for {:?}", self.format, rows.format);
        assert!(ends.is_sorted(), "documents one after the other");
        let count = ends.last().copied().unwrap_or(0);
        let sizes = match rows.format {
            RowFormat::Integers => [rows.format.row_size(self.columns), 4],
            format => [format.row_size(self.columns), 0],
        };
        for (bytes, size) in [rows.bytes, rows.scales].into_iter().zip(sizes) {
            let needed = count.checked_mul(size);
            assert!(
                needed.is_some_and(|needed| needed <= bytes.len()),
                "rows of all documents"
            );
        }
    }
}

/// A row in integers, and its scale.
fn quantized(row: &[f32], format: QueryFormat) -> (f32, Vec<i8>) {
    if format == QueryFormat::Bits {
        let sign = |&value: &f32| if value < 0. { -1 } else { 1 };
        let scale = 1. / (row.len().max(1) as f32).sqrt();
        return (scale, row.iter().map(sign).collect());
    }
    let largest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = largest / LARGEST;
    if scale == 0. || !scale.is_finite() {
        return (scale, vec![0; row.len()]);
    }
    let quantize = |value: &f32| nearest((value / scale).clamp(-LARGEST, LARGEST)) as i8;
    (scale, row.iter().map(quantize).collect())
}

fn floats<'a>(layout: Layout, rows: impl Iterator<Item = &'a [f32]>, size: usize) -> Aligned<f32> {
    let mut panels = filled(size, 0.);
    for (at, row) in rows.enumerate() {
        let (panel, column) = (at / layout.columns, at % layout.columns);
        let first = panel * layout.columns * row.len();
        for (step, value) in row.iter().enumerate() {
            panels[first + step * layout.columns + column] = *value;
        }
    }
    panels
}

fn panels_of_integers(layout: Layout, rows: &[Vec<i8>], size: usize) -> Aligned<i8> {
    let mut panels = filled(size, 0);
    for (at, row) in rows.iter().enumerate() {
        let (panel, column) = (at / layout.columns, at % layout.columns);
        let depth = row.len().next_multiple_of(layout.group);
        for (step, value) in row.iter().enumerate() {
            let (group, within) = (step / layout.group, step % layout.group);
            let place = (group * layout.columns + column) * layout.group + within;
            panels[panel * layout.columns * depth + place] = *value;
        }
    }
    panels
}

fn filled<T: Copy>(count: usize, value: T) -> Aligned<T> {
    let mut buffer = Aligned::new();
    buffer.resize(count, value);
    buffer
}
