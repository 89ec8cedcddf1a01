//! Queries, keys and values of a head in the order in which products read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Vector};
use super::head::Head;
use super::{Rotation, Rows};

/// Tokens and columns that are transposed at a time.
const BLOCK: usize = 4;

/// Keys and values of a head. What is beyond the tokens and columns that there
/// are is left from the head before: it meets nothing but scores of unseen
/// tokens and columns that nobody reads.
#[derive(Default)]
pub(super) struct Loaded {
    /// A panel for each so many tokens: `[columns, COLUMNS]`.
    pub(super) keys: Aligned<f32>,
    /// A panel for each so many columns: `[seen, COLUMNS]`.
    pub(super) values: Aligned<f32>,
    queries: Aligned<f32>,
    turned: Aligned<f32>,
}

/// Rows of queries, in place or turned.
pub(super) struct Queries<'a> {
    /// `[length, stride]`, of which the first columns are meant.
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
}

impl Loaded {
    /// Takes over what `head` needs.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, head: &Head<'_>) {
        self.load_keys::<I>(head);
        self.load_values::<I>(head);
        let Some(rotation) = &head.batch.rotation else {
            return;
        };
        let (length, columns) = (head.batch.length, head.attention.columns);
        self.queries.resize(length * columns, 0.);
        for (at, query) in self.queries.chunks_exact_mut(columns).enumerate() {
            query.copy_from_slice(head.row(&head.batch.queries, at));
            rotation.turn(query, at);
        }
    }

    #[inline(always)]
    pub(super) fn queries<'a>(&'a self, head: &Head<'a>) -> Queries<'a> {
        let (columns, queries) = (head.attention.columns, head.batch.queries);
        if head.batch.rotation.is_some() {
            return Queries {
                rows: &self.queries,
                stride: columns,
            };
        }
        let length = head.batch.length;
        let first = queries.offset + head.head * columns;
        Queries {
            rows: &queries.data[head.text * length * queries.stride + first..],
            stride: queries.stride,
        }
    }

    /// Keys, turned, and scaled so that scores are logarithms to base 2.
    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, head: &Head<'_>) {
        let (columns, seen) = (head.attention.columns, head.seen);
        let factor = head.attention.scale * std::f32::consts::LOG2_E;
        self.keys
            .resize(seen.next_multiple_of(I::COLUMNS) * columns, 0.);
        self.turned.resize(BLOCK * columns, 0.);
        for first in (0..seen).step_by(BLOCK) {
            // Behind the last token it again, for want of another.
            let positions: [usize; BLOCK] = std::array::from_fn(|at| (first + at).min(seen - 1));
            let mut rows = positions.map(|at| head.row(&head.batch.keys, at));
            if let Some(rotation) = &head.batch.rotation {
                let turned = self.turned.chunks_exact_mut(columns);
                for ((turned, row), at) in turned.zip(rows).zip(positions) {
                    turned.copy_from_slice(row);
                    rotation.turn(turned, at);
                }
                rows = std::array::from_fn(|at| &self.turned[at * columns..(at + 1) * columns]);
            }
            let panel = first / I::COLUMNS * I::COLUMNS * columns;
            let place = &mut self.keys[panel..][..columns * I::COLUMNS];
            transpose(rows, factor, &mut place[first % I::COLUMNS..], I::COLUMNS);
        }
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, head: &Head<'_>) {
        let (columns, seen) = (head.attention.columns, head.seen);
        let panels = columns.div_ceil(I::COLUMNS);
        self.values.resize(panels * seen * I::COLUMNS, 0.);
        for position in 0..seen {
            let row = head.row(&head.batch.values, position);
            for (panel, part) in row.chunks(I::COLUMNS).enumerate() {
                let start = (panel * seen + position) * I::COLUMNS;
                let place = &mut self.values[start..start + I::COLUMNS];
                if part.len() < I::COLUMNS {
                    place[..part.len()].copy_from_slice(part);
                    continue;
                }
                for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                    // SAFETY: both are a panel wide, which is whole vectors.
                    unsafe {
                        let value = I::Vector::load(part.as_ptr().add(column));
                        value.store(place.as_mut_ptr().add(column));
                    }
                }
            }
        }
    }
}

/// Writes rows as columns, so many values from each other, times a factor.
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

    /// So many rows, turned where there is a rotation, of so many columns, which
    /// are whole vectors; in `space` where they are not so already.
    #[inline(always)]
    pub(super) fn whole_rows<'s>(
        &self,
        rows: &Rows<'a>,
        [count, width]: [usize; 2],
        rotation: Option<&Rotation<'_>>,
        space: &'s mut Aligned<f32>,
    ) -> Queries<'s>
    where
        'a: 's,
    {
        let columns = self.attention.columns;
        if rotation.is_none() && columns == width {
            let first = self.text * self.batch.length * rows.stride + rows.offset;
            return Queries {
                rows: &rows.data[first + self.head * columns..],
                stride: rows.stride,
            };
        }
        space.resize(0, 0.);
        space.resize(count * width, 0.);
        for (at, whole) in space.chunks_exact_mut(width).enumerate() {
            let whole = &mut whole[..columns];
            whole.copy_from_slice(self.row(rows, at));
            if let Some(rotation) = rotation {
                rotation.turn(whole, at);
            }
        }
        Queries {
            rows: space,
            stride: width,
        }
    }
}
