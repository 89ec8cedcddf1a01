//! Queries, keys and values of a head as floats, in the order in which products
//! read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Vector};
use super::head::Head;
use super::rows::{Shape, StridedRows};
use super::{Rotation, Rows};

/// Tokens and columns that are transposed at a time.
const BLOCK: usize = 4;

/// Keys and values of a head. Padding holds values of the head before: it is only
/// multiplied into scores of masked keys and into columns that nobody reads.
#[derive(Default)]
pub(super) struct PackedHead {
    /// `[panels, columns, COLUMNS]`: each column of a panel is a key.
    pub(super) keys: Aligned<f32>,
    /// `[panels, key_count, COLUMNS]`: each row of a panel is a token.
    pub(super) values: Aligned<f32>,
    queries: Aligned<f32>,
    rotated: Aligned<f32>,
}

impl PackedHead {
    /// Rotates and packs `head`.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, head: &Head<'_>) {
        self.load_keys::<I>(head);
        self.load_values(isa, head);
        let Some(rotation) = &head.batch.rotation else {
            return;
        };
        let (length, columns) = (head.batch.length, head.attention.columns);
        self.queries.resize(length * columns, 0.);
        for (at, query) in self.queries.chunks_exact_mut(columns).enumerate() {
            query.copy_from_slice(head.row(&head.batch.queries, at));
            rotation.rotate(query, at);
        }
    }

    /// The queries: a copy if they are rotated, else in place.
    #[inline(always)]
    pub(super) fn queries<'a>(&'a self, head: &Head<'a>) -> StridedRows<'a> {
        let (columns, queries) = (head.attention.columns, head.batch.queries);
        if head.batch.rotation.is_some() {
            return StridedRows {
                data: &self.queries,
                stride: columns,
            };
        }
        let length = head.batch.length;
        let first = queries.offset + head.head * columns;
        StridedRows {
            data: &queries.data[head.text * length * queries.stride + first..],
            stride: queries.stride,
        }
    }

    /// Rotates keys, and scales them so that scores are base-2 logarithms.
    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, head: &Head<'_>) {
        let (columns, count) = (head.attention.columns, head.key_count);
        let factor = head.attention.scale * std::f32::consts::LOG2_E;
        self.keys
            .resize(count.next_multiple_of(I::COLUMNS) * columns, 0.);
        self.rotated.resize(BLOCK * columns, 0.);
        for first in (0..count).step_by(BLOCK) {
            // After the last token, repeats it.
            let positions: [usize; BLOCK] = std::array::from_fn(|at| (first + at).min(count - 1));
            let mut rows = positions.map(|at| head.row(&head.batch.keys, at));
            if let Some(rotation) = &head.batch.rotation {
                let rotated = self.rotated.chunks_exact_mut(columns);
                for ((rotated, row), at) in rotated.zip(rows).zip(positions) {
                    rotated.copy_from_slice(row);
                    rotation.rotate(rotated, at);
                }
                rows = std::array::from_fn(|at| &self.rotated[at * columns..(at + 1) * columns]);
            }
            let start = first / I::COLUMNS * I::COLUMNS * columns;
            let panel = &mut self.keys[start..][..columns * I::COLUMNS];
            transpose(rows, factor, &mut panel[first % I::COLUMNS..], I::COLUMNS);
        }
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, isa: I, head: &Head<'_>) {
        let (columns, count) = (head.attention.columns, head.key_count);
        let panels = columns.div_ceil(I::COLUMNS);
        self.values.resize(panels * count * I::COLUMNS, 0.);
        for position in 0..count {
            let row = head.row(&head.batch.values, position);
            for (panel, part) in row.chunks(I::COLUMNS).enumerate() {
                let start = (panel * count + position) * I::COLUMNS;
                let packed = &mut self.values[start..start + I::COLUMNS];
                if part.len() < I::COLUMNS {
                    packed[..part.len()].copy_from_slice(part);
                    continue;
                }
                for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                    // SAFETY: `part` and `packed` have `COLUMNS` values, which are
                    // whole vectors.
                    unsafe {
                        let value = isa.load(part.as_ptr().add(column));
                        value.store(packed.as_mut_ptr().add(column));
                    }
                }
            }
        }
    }
}

/// Writes rows, times a factor, as columns of `out`, whose rows are `stride` apart.
#[inline(always)]
fn transpose(rows: [&[f32]; BLOCK], factor: f32, out: &mut [f32], stride: usize) {
    let columns = rows[0].len();
    let whole = columns - columns % BLOCK;
    for first in (0..whole).step_by(BLOCK) {
        let mut block = [[0f32; BLOCK]; BLOCK];
        for at in 0..BLOCK {
            let row = &rows[at][first..first + BLOCK];
            for column in 0..BLOCK {
                block[column][at] = row[column] * factor;
            }
        }
        for (column, values) in block.iter().enumerate() {
            let start = (first + column) * stride;
            out[start..start + BLOCK].copy_from_slice(values);
        }
    }
    for column in whole..columns {
        for at in 0..BLOCK {
            out[column * stride + at] = rows[at][column] * factor;
        }
    }
}

impl<'a> Head<'a> {
    /// The columns of this head in a row.
    #[inline(always)]
    pub(super) fn row(&self, rows: &Rows<'a>, position: usize) -> &'a [f32] {
        let columns = self.attention.columns;
        let row = self.text * self.batch.length + position;
        rows.row(row, self.head * columns, columns)
    }

    /// Rows of this head, rotated, and padded to `shape`: in place where neither
    /// changes them, else in `scratch`.
    #[inline(always)]
    pub(super) fn padded_rows<'s>(
        &self,
        rows: &Rows<'a>,
        shape: Shape,
        rotation: Option<&Rotation<'_>>,
        scratch: &'s mut Aligned<f32>,
    ) -> StridedRows<'s>
    where
        'a: 's,
    {
        let (columns, width) = (self.attention.columns, shape.columns);
        if rotation.is_none() && columns == width {
            let first = self.text * self.batch.length * rows.stride + rows.offset;
            return StridedRows {
                data: &rows.data[first + self.head * columns..],
                stride: rows.stride,
            };
        }
        scratch.resize(0, 0.);
        scratch.resize(shape.rows * width, 0.);
        for (at, padded) in scratch.chunks_exact_mut(width).enumerate() {
            let row = &mut padded[..columns];
            row.copy_from_slice(self.row(rows, at));
            if let Some(rotation) = rotation {
                rotation.rotate(row, at);
            }
        }
        StridedRows {
            data: scratch,
            stride: width,
        }
    }
}
