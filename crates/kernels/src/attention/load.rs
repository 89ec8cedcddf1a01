//! Queries, keys and values of a head as floats, in the order in which products
//! read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Vector};
use super::head::{Group, Head};
use super::rows::StridedRows;

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
    /// Which keys and values are packed.
    group: Option<Group>,
    queries: Aligned<f32>,
    /// Normalized and rotated keys.
    changed: Aligned<f32>,
}

impl PackedHead {
    /// Normalizes, rotates and packs `head`.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, head: &Head<'_>) {
        let group = Some(head.group());
        if self.group != group {
            self.load_keys(isa, head);
            self.load_values(isa, head);
            self.group = group;
        }
        let queries = head.queries();
        if !queries.changes() {
            return;
        }
        let (length, columns) = (head.batch.length, head.attention.columns);
        self.queries.resize(length * columns, 0.);
        for (at, query) in self.queries.chunks_exact_mut(columns).enumerate() {
            queries.write(isa, at, query);
        }
    }

    /// The queries: a copy if they are normalized or rotated, else in place.
    #[inline(always)]
    pub(super) fn queries<'a>(&'a self, head: &Head<'a>) -> StridedRows<'a> {
        let queries = head.queries();
        if queries.changes() {
            return StridedRows {
                data: &self.queries,
                stride: head.attention.columns,
            };
        }
        queries.stored()
    }

    /// Normalizes and rotates keys, and scales them so that scores are base-2
    /// logarithms.
    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, isa: I, head: &Head<'_>) {
        let (columns, count) = (head.attention.columns, head.key_count);
        let factor = head.attention.scale * std::f32::consts::LOG2_E;
        let keys = head.keys();
        self.keys
            .resize(count.next_multiple_of(I::COLUMNS) * columns, 0.);
        self.changed.resize(BLOCK * columns, 0.);
        for first in (0..count).step_by(BLOCK) {
            // After the last token, repeats it.
            let positions: [usize; BLOCK] = std::array::from_fn(|at| (first + at).min(count - 1));
            let rows = if keys.changes() {
                let changed = self.changed.chunks_exact_mut(columns);
                for (changed, at) in changed.zip(positions) {
                    keys.write(isa, at, changed);
                }
                std::array::from_fn(|at| &self.changed[at * columns..(at + 1) * columns])
            } else {
                positions.map(|at| keys.row(at))
            };
            let start = first / I::COLUMNS * I::COLUMNS * columns;
            let panel = &mut self.keys[start..][..columns * I::COLUMNS];
            transpose(rows, factor, &mut panel[first % I::COLUMNS..], I::COLUMNS);
        }
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, isa: I, head: &Head<'_>) {
        let (columns, count) = (head.attention.columns, head.key_count);
        let panels = columns.div_ceil(I::COLUMNS);
        let values = head.values();
        self.values.resize(panels * count * I::COLUMNS, 0.);
        for position in 0..count {
            let row = values.row(position);
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
