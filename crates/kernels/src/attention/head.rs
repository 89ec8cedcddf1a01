//! Attention of one head: its rows, and the path in floats.

use std::ops::Range;

use super::super::aligned::{Aligned, OnLine};
use super::super::isa::{Isa, LINE, MAX_TILE, Strided, Vector};
use super::integers::Workspace;
use super::load::{PackedHead, StridedRows};
use super::softmax::softmax;
use super::{Attention, Batch, Precision, Rows};
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
    /// Keys, without the padding at the end.
    pub(super) key_count: usize,
    /// The mask, if it hides keys before the last one.
    pub(super) mask: Option<&'a [i64]>,
}

/// Up to [`ROWS`] queries, and the keys that any of them sees.
pub(super) struct RowBlock {
    pub(super) rows: Range<usize>,
    /// Starts with a panel of keys.
    pub(super) visible: Range<usize>,
}

#[inline(always)]
pub(in super::super) fn attend_heads<I: Isa>(isa: I, heads: &Heads<'_>, which: Range<usize>) {
    let mut in_floats = Vec::new();
    match heads.batch.precision {
        Precision::Fp32 => in_floats.extend(which),
        Precision::Int8 => {
            let mut workspace = Workspace::default();
            let mut all = which.map(|at| (at, Head::new(heads, at))).peekable();
            while let Some((at, head)) = all.next() {
                let next = all.peek().map(|(_, next)| next);
                if !head.attend_in_8_bits(isa, next, &mut workspace) {
                    in_floats.push(at);
                }
            }
        }
    }
    // One call for both precisions, since it is inlined and large.
    let mut packed = PackedHead::default();
    let mut scores = Aligned::new();
    for at in in_floats {
        Head::new(heads, at).attend(isa, &mut packed, &mut scores);
    }
}

impl<'a> Head<'a> {
    fn new(heads: &'a Heads<'_>, at: usize) -> Self {
        let (attention, batch) = (heads.attention, heads.batch);
        let (text, head) = (at / attention.heads, at % attention.heads);
        let length = batch.length;
        let mask = batch
            .mask
            .map(|mask| &mask[text * length..(text + 1) * length]);
        let last = mask.map(|mask| mask.iter().rposition(|&bit| bit != 0));
        let key_count = last.map_or(length, |last| last.map_or(0, |last| last + 1));
        Self {
            attention,
            batch,
            context: &heads.context,
            text,
            head,
            key_count,
            mask: mask.filter(|mask| mask[..key_count].contains(&0)),
        }
    }

    #[inline(always)]
    fn attend<I: Isa>(&self, isa: I, packed: &mut PackedHead, scores: &mut Aligned<f32>) {
        let length = self.batch.length;
        packed.load(isa, self);
        let (packed, queries) = (&*packed, packed.queries(self));
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        scores.resize(ROWS.min(length) * stride, 0.);
        for first in (0..length).step_by(ROWS) {
            let block = self.row_block::<I>(first);
            let visible = &block.visible;
            self.score(isa, &queries, &packed.keys, &block, scores);
            let mut sums = [0f32; ROWS];
            for (at, sum) in sums.iter_mut().enumerate().take(block.rows.len()) {
                let scores = &mut scores[at * stride..][visible.start..];
                let scores = &mut scores[..visible.len().next_multiple_of(I::COLUMNS)];
                let mask = self.mask.map(|mask| &mask[visible.clone()]);
                *sum = softmax(isa, scores, self.visible_to(first + at, visible), mask);
            }
            self.combine(isa, scores, &packed.values, &block, &sums);
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
        let input = |rows: &Rows<'_>| {
            let at = first * rows.stride + rows.offset + self.head * columns;
            Strided {
                first: rows.data.as_ptr().wrapping_add(at),
                stride: rows.stride,
            }
        };
        let mut inputs = [&batch.queries, &batch.keys, &batch.values].map(input);
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
        let (from, to) = match self.attention.window {
            None => (0, count),
            Some(window) => (
                rows.start.saturating_sub(window).min(count),
                rows.end.saturating_add(window).min(count),
            ),
        };
        RowBlock {
            rows,
            visible: from - from % I::COLUMNS..to,
        }
    }

    /// Which keys of `block` a row sees, relative to the first of them.
    #[inline(always)]
    pub(super) fn visible_to(&self, row: usize, block: &Range<usize>) -> Range<usize> {
        let Some(window) = self.attention.window else {
            return 0..block.len();
        };
        let end = row.saturating_add(window).saturating_add(1);
        let end = end.saturating_sub(block.start).min(block.len());
        let start = row.saturating_sub(window).saturating_sub(block.start);
        start.min(end)..end
    }

    /// Computes `queries . keys` into `[ROWS, keys]`.
    #[inline(always)]
    fn score<I: Isa>(
        &self,
        isa: I,
        queries: &StridedRows<'_>,
        keys: &[f32],
        block: &RowBlock,
        scores: &mut [f32],
    ) {
        let RowBlock { rows, visible } = block;
        let columns = self.attention.columns;
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        for panel in visible.start / I::COLUMNS..visible.end.div_ceil(I::COLUMNS) {
            let keys = &keys[panel * columns * I::COLUMNS..][..columns * I::COLUMNS];
            for row in rows.clone().step_by(I::ROWS) {
                let count = (rows.end - row).min(I::ROWS);
                let left = &queries.data[row * queries.stride..];
                let out = &mut scores[(row - rows.start) * stride + panel * I::COLUMNS..];
                assert!(left.len() >= (count - 1) * queries.stride + columns);
                assert!(out.len() >= (count - 1) * stride + I::COLUMNS);
                // SAFETY: the assertions leave `count` rows of queries and scores, and
                // `keys` is a whole panel.
                unsafe {
                    let (left, panel, out) = (left.as_ptr(), keys.as_ptr(), out.as_mut_ptr());
                    isa.multiply_floats(
                        count,
                        Strided {
                            first: left,
                            stride: queries.stride,
                        },
                        panel,
                        columns,
                        Strided {
                            first: out,
                            stride: stride,
                        },
                    );
                }
            }
        }
    }

    /// Writes `weights . values / sums`.
    #[inline(always)]
    fn combine<I: Isa>(
        &self,
        isa: I,
        weights: &[f32],
        values: &[f32],
        block: &RowBlock,
        sums: &[f32; ROWS],
    ) {
        let RowBlock { rows, visible } = block;
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        let OnLine(tile) = &mut OnLine([0f32; MAX_TILE]);
        for panel in 0..self.attention.columns.div_ceil(I::COLUMNS) {
            let size = self.key_count * I::COLUMNS;
            let values = &values[panel * size..(panel + 1) * size][visible.start * I::COLUMNS..];
            for row in (0..rows.len()).step_by(I::ROWS) {
                let (count, depth) = ((rows.len() - row).min(I::ROWS), visible.len());
                let weights = &weights[(row * stride + visible.start).min(weights.len())..];
                assert!(depth == 0 || weights.len() >= (count - 1) * stride + depth);
                assert!(values.len() >= depth * I::COLUMNS);
                // SAFETY: the assertions leave `count` rows of `depth` weights and
                // `depth` rows of a panel; no instruction set's tile is larger than
                // `MAX_TILE`.
                unsafe {
                    let (left, panel) = (weights.as_ptr(), values.as_ptr());
                    let out = tile.as_mut_ptr();
                    isa.multiply_floats(
                        count,
                        Strided {
                            first: left,
                            stride: stride,
                        },
                        panel,
                        depth,
                        Strided {
                            first: out,
                            stride: I::COLUMNS,
                        },
                    );
                }
                let rows = rows.start + row..rows.start + row + count;
                let tile = StridedRows {
                    data: &*tile,
                    stride: I::COLUMNS,
                };
                self.write_panel(isa, rows, panel, &sums[row..], tile);
            }
        }
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
        let length = self.batch.length;
        out.fill(0.);
        for row in self.text * length..(self.text + 1) * length {
            let first = self.head * self.attention.columns + first;
            let values = self.batch.values.row(row, first, out.len());
            for (out, value) in out.iter_mut().zip(values) {
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
