//! Products of the rows of a block with all panels, tile by tile.

use std::ops::Range;

use super::super::aligned::{Aligned, OnLine};
use super::super::isa::{Isa, MAX_TILE, Strided, Vector};
use super::ahead::Ahead;
use super::lift::{Lifted, offset};
use super::maxima::{Maxima, Tile};
use super::pack::Packed;
use super::{DocumentRows, RowFormat};

/// The most rows of a tile whose sums are in registers, of any instruction set.
const MOST_ROWS: usize = 12;

/// The scale of a row of integers, 1 for others.
#[inline(always)]
fn scale(rows: DocumentRows<'_>, row: usize) -> f32 {
    let bytes = rows.scales.as_chunks::<4>().0;
    bytes
        .get(row)
        .map_or(1., |bytes| f32::from_ne_bytes(*bytes))
}

/// Rows of a tile, of which there are several in a block.
pub(super) const fn rows<I: Isa>() -> usize {
    if I::ROWS > MOST_ROWS {
        MOST_ROWS / 2
    } else {
        I::ROWS
    }
}

/// The panel and the rows of each tile of a block of `count` rows.
#[inline(always)]
fn tiles<I: Isa>(width: usize, count: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    (0..width / I::COLUMNS).flat_map(move |panel| {
        (0..count)
            .step_by(rows::<I>())
            .map(move |first| (panel, first..(first + rows::<I>()).min(count)))
    })
}

#[inline(always)]
pub(super) fn floats<I: Isa>(
    isa: I,
    packed: &Packed,
    rows: DocumentRows<'_>,
    panels: &[f32],
    (lifted, maxima): (&mut Lifted, &mut Maxima),
    ahead: &mut Ahead,
) {
    let (columns, width) = (packed.columns, packed.padded_rows());
    let left = lifted.floats(rows, columns);
    let OnLine(sums) = &mut OnLine([0f32; MAX_TILE]);
    let count = maxima.slots.len();
    for (panel, range) in tiles::<I>(width, count) {
        ahead.prefetch::<I>();
        let first = range.start;
        let size = columns * I::COLUMNS;
        let weights = &panels[panel * size..(panel + 1) * size];
        // SAFETY: the block has `count` rows of `columns` floats, the slice is a
        // panel of that depth, and no tile is larger than `MAX_TILE`.
        unsafe {
            isa.multiply_floats(
                range.len(),
                left.after(first),
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
            RowFormat::Integers => {
                let scale = |row: usize| isa.splat(scale(rows, first + row));
                maxima.fold(
                    isa,
                    tile,
                    |row, vector| load(row, vector).mul(scale(row)),
                    scale,
                )
            }
            _ => maxima.fold(isa, tile, load, |row| load(row, 0)),
        }
    }
}

/// Rows of integers, as products read them.
#[derive(Clone, Copy)]
enum Left<Q> {
    Integers(Strided<*const Q>),
    Wide(Strided<*const i16>),
}

/// Panels of integers, as products read them.
pub(super) struct Weights<'a, W> {
    pub(super) weights: &'a [W],
    /// `[panels, pairs, COLUMNS, 2]`, if that is what is read.
    pub(super) wide: Aligned<i16>,
}

impl<T> Strided<*const T> {
    /// The same from a row on.
    #[inline(always)]
    fn after(self, row: usize) -> Self {
        Self {
            first: self.first.wrapping_add(row * self.stride),
            ..self
        }
    }
}

/// Whether documents are multiplied in 16 bits.
#[inline(always)]
pub(super) fn is_wide<I: Isa>(rows: DocumentRows<'_>) -> bool {
    I::IS_WIDE && rows.format == RowFormat::Integers
}

/// Panels of groups as panels of pairs.
#[inline(always)]
pub(super) fn wide<I: Isa>(panels: &[i8]) -> Aligned<i16> {
    let mut pairs = Aligned::new();
    pairs.resize(panels.len(), 0);
    let size = I::COLUMNS * I::GROUP;
    for (pairs, group) in pairs.chunks_exact_mut(size).zip(panels.chunks_exact(size)) {
        for (column, weights) in group.chunks_exact(I::GROUP).enumerate() {
            for (at, weight) in weights.iter().enumerate() {
                pairs[(at / 2 * I::COLUMNS + column) * 2 + at % 2] = i16::from(*weight);
            }
        }
    }
    pairs
}

#[inline(always)]
pub(super) fn integers<I: Isa>(
    isa: I,
    packed: &Packed,
    rows: DocumentRows<'_>,
    weights: &Weights<'_, I::Weight>,
    (lifted, maxima): (&mut Lifted, &mut Maxima),
    ahead: &mut Ahead,
) {
    let Packed {
        depth,
        sums: of_queries,
        ..
    } = packed;
    let width = packed.padded_rows();
    let left = if is_wide::<I>(rows) {
        Left::Wide(lifted.wide(rows, packed))
    } else {
        Left::Integers(lifted.integers(isa, rows, packed))
    };
    let OnLine(sums) = &mut OnLine([0i32; MAX_TILE]);
    let count = maxima.slots.len();
    for (panel, range) in tiles::<I>(width, count) {
        ahead.prefetch::<I>();
        let first = range.start;
        let size = depth * I::COLUMNS;
        let panel_range = panel * size..(panel + 1) * size;
        let (count, groups) = (range.len(), depth / I::GROUP);
        let to = sums.as_mut_ptr();
        // SAFETY: the block has `count` rows of `depth` integers, the slices are a
        // panel of that depth, and no tile is larger than `MAX_TILE`.
        unsafe {
            match left {
                Left::Wide(left) => {
                    let weights = weights.wide[panel_range].as_ptr();
                    isa.multiply_wide(count, left.after(first), weights, depth / 2, to);
                }
                Left::Integers(left) => {
                    let weights = weights.weights[panel_range].as_ptr();
                    let left = left.after(first);
                    if rows.format == RowFormat::Bits {
                        isa.multiply_bits(count, left, weights, groups, to);
                    } else {
                        isa.multiply_integers(count, left, weights, groups, to);
                    }
                }
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
            let scale = |row: usize| isa.splat(scale(rows, first + row));
            match rows.format {
                // Sums of the columns that are 1, less those that are not.
                RowFormat::Bits => maxima.fold(
                    isa,
                    tile,
                    |row, vector| {
                        let sum = isa.load_integers(at(row, vector));
                        sum.add(sum).sub(isa.load_integers(of_columns(vector)))
                    },
                    |_| isa.splat(0.),
                ),
                _ if offset::<I>() == 0 || is_wide::<I>(rows) => maxima.fold(
                    isa,
                    tile,
                    |row, vector| isa.load_integers(at(row, vector)).mul(scale(row)),
                    scale,
                ),
                _ => maxima.fold(
                    isa,
                    tile,
                    |row, vector| {
                        let (at, of_columns) = (at(row, vector), of_columns(vector));
                        let sum = isa.load_integers_less(at, offset::<I>(), of_columns);
                        sum.mul(scale(row))
                    },
                    scale,
                ),
            }
        }
    }
}
