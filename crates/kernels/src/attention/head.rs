//! One head of one text: its rows, and what its outputs have in common.

use std::ops::Range;

use super::super::isa::{Isa, LINE, Strided, Vector};
use super::rows::StridedRows;
use super::{Attention, Batch, Rows, Sight};
use crate::threads::Shared;

/// Rows of scores that are computed at a time: few enough to stay in a cache.
pub(super) const ROWS: usize = 12;

/// The heads of all texts; that of `text * heads + head` is a [`Head`].
pub(in super::super) struct Heads<'a> {
    pub(super) attention: &'a Attention,
    pub(super) batch: &'a Batch<'a>,
    /// `[batch, length, heads * columns]`.
    pub(super) context: Shared<'a, f32>,
}

/// One head of one text.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) attention: &'a Attention,
    pub(super) batch: &'a Batch<'a>,
    pub(super) context: &'a Shared<'a, f32>,
    pub(super) text: usize,
    pub(super) head: usize,
    /// Of keys and values. Not computed each time, since divisions are slow.
    pub(super) key_head: usize,
    /// Keys, without the padding at the end.
    pub(super) key_count: usize,
    /// The first key that is not padding.
    first_key: usize,
    /// The mask, if it hides keys before the last one.
    pub(super) mask: Option<&'a [i64]>,
}

/// Heads that share keys and values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    text: usize,
    key_head: usize,
}

/// Up to [`ROWS`] queries, and the keys that any of them sees.
pub(super) struct RowBlock {
    pub(super) rows: Range<usize>,
    /// Starts with a panel of keys.
    pub(super) visible: Range<usize>,
}

impl<'a> Head<'a> {
    pub(super) fn new(heads: &'a Heads<'_>, at: usize) -> Self {
        let (attention, batch) = (heads.attention, heads.batch);
        let (text, head) = (at / attention.heads, at % attention.heads);
        let length = batch.length;
        let mask = batch
            .mask
            .map(|mask| &mask[text * length..(text + 1) * length]);
        let first = mask.and_then(|mask| mask.iter().position(|&bit| bit != 0));
        let last = mask.map(|mask| mask.iter().rposition(|&bit| bit != 0));
        let key_count = last.map_or(length, |last| last.map_or(0, |last| last + 1));
        Self {
            attention,
            batch,
            context: &heads.context,
            text,
            head,
            key_head: head * attention.key_heads / attention.heads,
            key_count,
            first_key: first.unwrap_or(0),
            mask: mask.filter(|mask| mask[..key_count].contains(&0)),
        }
    }

    #[inline(always)]
    pub(super) fn group(&self) -> Group {
        Group {
            text: self.text,
            key_head: self.key_head,
        }
    }

    /// Prefetches what this head reads and writes of some rows: they are far from
    /// each other in memory, so each would be a cache miss.
    #[inline(always)]
    pub(super) fn prefetch<I: Isa>(&self, rows: Range<usize>) {
        let (columns, batch) = (self.attention.columns, self.batch);
        let width = self.attention.heads * columns;
        let first = self.text * batch.length + rows.start;
        let count = rows.end.min(batch.length).saturating_sub(rows.start);
        let input = |(rows, head): (&Rows<'_>, usize)| {
            let at = first * rows.stride + rows.offset + head * columns;
            Strided {
                first: rows.data.as_ptr().wrapping_add(at),
                stride: rows.stride,
            }
        };
        let mut inputs = [
            (&batch.queries, self.head),
            (&batch.keys, self.key_head),
            (&batch.values, self.key_head),
        ]
        .map(input);
        let mut out = self.context.at(first * width + self.head * columns);
        for _ in 0..count {
            match columns / LINE {
                // Unrolled for the most common widths of heads.
                2 => prefetch_row::<I>(&inputs, out, 2),
                4 => prefetch_row::<I>(&inputs, out, 4),
                _ => prefetch_row::<I>(&inputs, out, columns.div_ceil(LINE)),
            }
            for input in &mut inputs {
                input.first = input.first.wrapping_add(input.stride);
            }
            out = out.wrapping_add(width);
        }
    }

    /// The block of rows that starts with `first`.
    #[inline(always)]
    pub(super) fn row_block<I: Isa>(&self, first: usize) -> RowBlock {
        let rows = first..(first + ROWS).min(self.batch.length);
        let count = self.key_count;
        let Sight { before, after } = self.attention.sight;
        let from = before.map_or(0, |before| rows.start.saturating_sub(before));
        let to = after.map_or(count, |after| rows.end.saturating_add(after));
        let to = to.min(count);
        let from = from.max(self.first_key).min(to);
        RowBlock {
            rows,
            visible: from - from % I::COLUMNS..to,
        }
    }

    /// Which keys of `block` a row sees, relative to the first of them.
    #[inline(always)]
    pub(super) fn visible_to(&self, row: usize, block: &Range<usize>) -> Range<usize> {
        let Sight { before, after } = self.attention.sight;
        let (first, size) = (block.start, block.len());
        let end = after.map_or(size, |after| {
            let end = row.saturating_add(after).saturating_add(1);
            end.saturating_sub(first).min(size)
        });
        let start = before.map_or(0, |before| row.saturating_sub(before).saturating_sub(first));
        start.min(end)..end
    }

    /// Divides sums of weighted values by the sums of weights, and writes them to a
    /// panel of the context's columns.
    #[inline(always)]
    pub(super) fn write_panel<I: Isa>(
        &self,
        isa: I,
        positions: Range<usize>,
        panel: usize,
        weight_sums: &[f32],
        sums: StridedRows<'_>,
    ) {
        let columns = self.attention.columns;
        let first = panel * I::COLUMNS;
        let width = I::COLUMNS.min(columns - first);
        // In a loop of their own, which is vectorized: divisions are slow.
        let mut inverses = [0f32; ROWS];
        for (inverse, weight_sum) in inverses.iter_mut().zip(weight_sums) {
            *inverse = 1. / weight_sum;
        }
        for (at, position) in positions.enumerate() {
            let sums = &sums.data[at * sums.stride..at * sums.stride + I::COLUMNS];
            let row = self.text * self.batch.length + position;
            let start = row * self.attention.heads * columns + self.head * columns + first;
            // SAFETY: `Attention::run` gives each head of each text to one task, and
            // this is the only reference that it has to the context.
            let out = unsafe { self.context.part(start..start + width) };
            if weight_sums[at] > 0. {
                write(isa, sums, inverses[at], out);
            } else {
                self.write_unweighted(first, weight_sums[at], out);
            }
        }
    }

    /// Writes the output of a row whose weights sum to zero or NaN.
    #[cold]
    pub(super) fn write_unweighted(&self, first: usize, weight_sum: f32, out: &mut [f32]) {
        if weight_sum.is_nan() {
            out.fill(f32::NAN);
        } else if self.attention.fill == f32::NEG_INFINITY {
            out.fill(0.);
        } else {
            self.write_mean(first, out);
        }
    }

    /// Writes the mean of all values, including padding: what equal weights give.
    fn write_mean(&self, first: usize, out: &mut [f32]) {
        let (length, values) = (self.batch.length, self.values());
        out.fill(0.);
        for position in 0..length {
            for (out, value) in out.iter_mut().zip(&values.row(position)[first..]) {
                *out += value / length as f32;
            }
        }
    }
}

/// Prefetches cache lines of a row of each input, to be read, and of `out`, to be
/// written.
#[inline(always)]
fn prefetch_row<I: Isa>(inputs: &[Strided<*const f32>], out: *const f32, cache_lines: usize) {
    for line in 0..cache_lines {
        for input in inputs {
            I::prefetch_read(input.first.wrapping_add(line * LINE));
        }
        I::prefetch_write(out.wrapping_add(line * LINE));
    }
}

/// Writes a panel of sums times a factor, as many as `out` has room for.
#[inline(always)]
fn write<I: Isa>(isa: I, sums: &[f32], factor: f32, out: &mut [f32]) {
    if out.len() < I::COLUMNS {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum * factor;
        }
        return;
    }
    assert!(sums.len() == I::COLUMNS, "a panel");
    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
        // SAFETY: both slices were checked to have `COLUMNS` values, which are whole
        // vectors.
        unsafe {
            let sum = isa.load(sums.as_ptr().add(column));
            let out = out.as_mut_ptr().add(column);
            sum.mul(isa.splat(factor)).store(out);
        }
    }
}
