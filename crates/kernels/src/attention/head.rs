//! One head after the other.

use std::ops::Range;

use super::super::aligned::{Aligned, OnLine};
use super::super::isa::{Isa, LARGEST_TILE, LINE, Vector};
use super::integers::Workspace;
use super::load::{Loaded, Queries};
use super::softmax::softmax;
use super::{Attention, Batch, Products, Rows};
use crate::threads::Shared;

/// Rows of scores that are computed at a time: few enough to stay in a cache.
pub(super) const ROWS: usize = 12;

/// All heads of all texts: `text * heads + head`.
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
    /// Tokens up to the last one that is not padding.
    pub(super) seen: usize,
    /// The mask, where tokens before are unseen too.
    pub(super) holes: Option<&'a [i64]>,
}

#[inline(always)]
pub(in super::super) fn attend_heads<I: Isa>(heads: &Heads<'_>, which: Range<usize>) {
    let mut left = Vec::new();
    match heads.batch.products {
        Products::Floats => left.extend(which),
        Products::Integers => {
            let mut space = Workspace::default();
            let mut all = which.map(|at| (at, Head::new(heads, at))).peekable();
            while let Some((at, head)) = all.next() {
                let next = all.peek().map(|(_, next)| next);
                if !head.attend_in_8_bits::<I>(next, &mut space) {
                    left.push(at);
                }
            }
        }
    }
    // One copy of its instructions, which are many.
    let mut loaded = Loaded::default();
    let mut scores = Aligned::new();
    for at in left {
        Head::new(heads, at).attend::<I>(&mut loaded, &mut scores);
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
        // Padding at the end is seen by nobody.
        let last = mask.map(|mask| mask.iter().rposition(|&bit| bit != 0));
        let seen = last.map_or(length, |last| last.map_or(0, |last| last + 1));
        Self {
            attention,
            batch,
            context: &heads.context,
            text,
            head,
            seen,
            holes: mask.filter(|mask| mask[..seen].contains(&0)),
        }
    }

    #[inline(always)]
    fn attend<I: Isa>(&self, loaded: &mut Loaded, scores: &mut Aligned<f32>) {
        let (length, seen) = (self.batch.length, self.seen);
        loaded.load::<I>(self);
        let (loaded, queries) = (&*loaded, loaded.queries(self));
        let stride = seen.next_multiple_of(I::COLUMNS);
        scores.resize(ROWS.min(length) * stride, 0.);
        for first in (0..length).step_by(ROWS) {
            let rows = first..(first + ROWS).min(length);
            let seen = self.columns_of::<I>(&rows);
            self.score::<I>(&queries, &loaded.keys, rows.clone(), &seen, scores);
            let mut sums = [0f32; ROWS];
            for (at, sum) in sums.iter_mut().enumerate().take(rows.len()) {
                let scores = &mut scores[at * stride..][seen.start..];
                let scores = &mut scores[..seen.len().next_multiple_of(I::COLUMNS)];
                let holes = self.holes.map(|mask| &mask[seen.clone()]);
                *sum = softmax::<I>(scores, self.visible(first + at, &seen), holes);
            }
            self.combine::<I>(scores, &loaded.values, rows, &seen, &sums);
        }
    }

    /// Has what this head reads and writes of some rows brought near: rows are
    /// far from each other, so that each would be waited for.
    #[inline(always)]
    pub(super) fn expect<I: Isa>(&self, rows: Range<usize>) {
        let (columns, batch) = (self.attention.columns, self.batch);
        let width = self.attention.heads * columns;
        let first = self.text * batch.length + rows.start;
        let count = rows.end.min(batch.length).saturating_sub(rows.start);
        let place = |rows: &Rows<'_>| {
            let at = first * rows.stride + rows.offset + self.head * columns;
            (rows.data.as_ptr().wrapping_add(at), rows.stride)
        };
        let mut places = [&batch.queries, &batch.keys, &batch.values].map(place);
        let mut out = self.context.at(first * width + self.head * columns);
        for _ in 0..count {
            match columns / LINE {
                // As most heads have them, without a loop.
                2 => expect_row::<I>(&places, out, 2),
                4 => expect_row::<I>(&places, out, 4),
                _ => expect_row::<I>(&places, out, columns.div_ceil(LINE)),
            }
            for (at, stride) in &mut places {
                *at = at.wrapping_add(*stride);
            }
            out = out.wrapping_add(width);
        }
    }

    /// Columns that any of these rows can see, by whole panels of keys.
    #[inline(always)]
    pub(super) fn columns_of<I: Isa>(&self, rows: &Range<usize>) -> Range<usize> {
        let seen = self.seen;
        let (from, to) = match self.attention.window {
            None => (0, seen),
            Some(window) => (
                rows.start.saturating_sub(window).min(seen),
                rows.end.saturating_add(window).min(seen),
            ),
        };
        from - from % I::COLUMNS..to
    }

    /// Which of the columns a row can see, counted from the first.
    #[inline(always)]
    pub(super) fn visible(&self, row: usize, columns: &Range<usize>) -> Range<usize> {
        let Some(window) = self.attention.window else {
            return 0..columns.len();
        };
        let end = row.saturating_add(window).saturating_add(1);
        let end = end.saturating_sub(columns.start).min(columns.len());
        let start = row.saturating_sub(window).saturating_sub(columns.start);
        start.min(end)..end
    }

    /// Products of queries and keys.
    #[inline(always)]
    fn score<I: Isa>(
        &self,
        queries: &Queries<'_>,
        keys: &[f32],
        rows: Range<usize>,
        seen: &Range<usize>,
        scores: &mut [f32],
    ) {
        let columns = self.attention.columns;
        let stride = self.seen.next_multiple_of(I::COLUMNS);
        for panel in seen.start / I::COLUMNS..seen.end.div_ceil(I::COLUMNS) {
            let keys = &keys[panel * columns * I::COLUMNS..][..columns * I::COLUMNS];
            for row in rows.clone().step_by(I::ROWS) {
                let count = (rows.end - row).min(I::ROWS);
                let left = &queries.rows[row * queries.stride..];
                let out = &mut scores[(row - rows.start) * stride + panel * I::COLUMNS..];
                assert!(left.len() >= (count - 1) * queries.stride + columns);
                assert!(out.len() >= (count - 1) * stride + I::COLUMNS);
                // SAFETY: the slices hold `count` rows and a panel.
                unsafe {
                    let (left, panel, out) = (left.as_ptr(), keys.as_ptr(), out.as_mut_ptr());
                    I::floats(count, left, queries.stride, panel, columns, out, stride);
                }
            }
        }
    }

    /// Products of weights and values.
    #[inline(always)]
    fn combine<I: Isa>(
        &self,
        weights: &[f32],
        values: &[f32],
        rows: Range<usize>,
        seen: &Range<usize>,
        sums: &[f32; ROWS],
    ) {
        let stride = self.seen.next_multiple_of(I::COLUMNS);
        let OnLine(tile) = &mut OnLine([0f32; LARGEST_TILE]);
        for panel in 0..self.attention.columns.div_ceil(I::COLUMNS) {
            let size = self.seen * I::COLUMNS;
            let values = &values[panel * size..(panel + 1) * size][seen.start * I::COLUMNS..];
            for row in (0..rows.len()).step_by(I::ROWS) {
                let (count, depth) = ((rows.len() - row).min(I::ROWS), seen.len());
                let weights = &weights[(row * stride + seen.start).min(weights.len())..];
                assert!(depth == 0 || weights.len() >= (count - 1) * stride + depth);
                assert!(values.len() >= depth * I::COLUMNS);
                // SAFETY: the slices hold `count` rows of weights, as many
                // values, and the tile has room for the largest.
                unsafe {
                    let (left, panel) = (weights.as_ptr(), values.as_ptr());
                    let out = tile.as_mut_ptr();
                    I::floats(count, left, stride, panel, depth, out, I::COLUMNS);
                }
                let rows = rows.start + row..rows.start + row + count;
                self.finish_panel::<I>(rows, panel, &sums[row..], (&*tile, I::COLUMNS));
            }
        }
    }

    /// Writes sums of weighted values of rows, which are so far from each other,
    /// for a panel of columns.
    #[inline(always)]
    pub(super) fn finish_panel<I: Isa>(
        &self,
        positions: Range<usize>,
        panel: usize,
        weights: &[f32],
        (sums, stride): (&[f32], usize),
    ) {
        let columns = self.attention.columns;
        let first = panel * I::COLUMNS;
        let width = I::COLUMNS.min(columns - first);
        // All at a time: to divide takes long.
        let mut shares = [0f32; ROWS];
        for (share, weight) in shares.iter_mut().zip(weights) {
            *share = 1. / weight;
        }
        for (at, position) in positions.enumerate() {
            let sums = &sums[at * stride..at * stride + I::COLUMNS];
            let row = self.text * self.batch.length + position;
            let start = row * self.attention.heads * columns + self.head * columns + first;
            // SAFETY: each head of each text is computed by one task alone.
            let out = unsafe { self.context.part(start..start + width) };
            match weights[at] > 0. {
                true => write::<I>(sums, shares[at], out),
                false => self.write_without_weights(first, weights[at], out),
            }
        }
    }

    /// Writes what weights come to that add up to nothing, or are not numbers.
    #[cold]
    pub(super) fn write_without_weights(&self, first: usize, weight: f32, out: &mut [f32]) {
        if weight.is_nan() {
            out.fill(f32::NAN);
        } else if self.attention.fill == f32::NEG_INFINITY {
            out.fill(0.);
        } else {
            self.mean_value(first, out);
        }
    }

    /// The mean of all values, padding too: what weights that are all equal
    /// come to.
    fn mean_value(&self, first: usize, out: &mut [f32]) {
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

/// Has so many lines of rows brought near, to be read, and of `out`, to be written.
#[inline(always)]
fn expect_row<I: Isa>(rows: &[(*const f32, usize)], out: *const f32, lines: usize) {
    for line in 0..lines {
        for (at, _) in rows {
            I::expect_read(at.wrapping_add(line * LINE));
        }
        I::expect_write(out.wrapping_add(line * LINE));
    }
}

/// Writes sums of a panel times a factor, as many as there is room for.
#[inline(always)]
fn write<I: Isa>(sums: &[f32], factor: f32, out: &mut [f32]) {
    if out.len() < I::COLUMNS {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum * factor;
        }
        return;
    }
    assert!(sums.len() == I::COLUMNS, "a panel");
    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
        // SAFETY: both are a panel wide, which is whole vectors.
        unsafe {
            let sum = I::Vector::load(sums.as_ptr().add(column));
            let out = out.as_mut_ptr().add(column);
            sum.mul(I::Vector::splat(factor)).store(out);
        }
    }
}
