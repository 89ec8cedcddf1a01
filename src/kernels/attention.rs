//! Attention over all heads of a padded batch.

use super::exp::exp;
use super::isa::{self, Isa, Kind};
use super::parallel::{Parallel, Shared};

/// Rows of scores that are computed at a time: few enough to stay in a cache.
const ROWS: usize = 12;

/// Attention as encoders use it; see the operator `Attention` of the fused
/// graphs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads, side by side in each row.
    pub heads: usize,
    /// Columns of each head.
    pub columns: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// How many positions tokens see to either side, where there is a bound.
    pub window: Option<usize>,
    /// What scores of unseen tokens are brought to. A token that sees nothing
    /// gets zeros if this is minus infinity, and the mean of all values if not.
    pub fill: f32,
}

/// Rows of `heads * columns`, perhaps with others beside them:
/// `[batch, length, stride]`, of which those from `offset` on are meant.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// All columns.
    pub data: &'a [f32],
    /// Columns of `data`.
    pub stride: usize,
    /// The first column that is meant.
    pub offset: usize,
}

impl Rows<'_> {
    /// The columns of a head in one row.
    #[inline(always)]
    fn row(&self, row: usize, first: usize, columns: usize) -> &[f32] {
        let start = row * self.stride + self.offset + first;
        &self.data[start..start + columns]
    }
}

/// The inputs of attention.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Tokens of each text.
    pub length: usize,
    /// Queries.
    pub queries: Rows<'a>,
    /// Keys.
    pub keys: Rows<'a>,
    /// Values.
    pub values: Rows<'a>,
    /// `[batch, length]`, 0 for tokens that nobody sees.
    pub mask: Option<&'a [i64]>,
    /// How queries and keys are turned by their positions.
    pub rotation: Option<Rotation<'a>>,
}

/// Rotary embedding (Su et al., 2021): pairs of columns turned by an angle.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Cosines, `[length, columns]`.
    pub cos: &'a [f32],
    /// Sines, `[length, columns]`.
    pub sin: &'a [f32],
    /// Whether neighbours are turned together, rather than halves.
    pub interleaved: bool,
}

impl Attention {
    /// Writes the context, `[batch, length, heads * columns]`.
    ///
    /// # Panics
    /// If the slices are not of the sizes that the batch states.
    pub fn run(&self, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        self.run_on(Kind::best(), batch, context, threads);
    }

    fn run_on(&self, kind: Kind, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        let text = batch.length * self.heads * self.columns;
        let texts = context.len().checked_div(text).unwrap_or(0);
        assert_eq!(context.len(), texts * text, "whole texts");
        let context = Shared::new(context);
        threads.run(texts * self.heads, &|task| {
            let (text, head) = (task / self.heads, task % self.heads);
            isa::attend(
                kind,
                &Head {
                    attention: self,
                    batch,
                    context: &context,
                    text,
                    head,
                },
            );
        });
    }
}

/// One head of one text.
pub(super) struct Head<'a> {
    attention: &'a Attention,
    batch: &'a Batch<'a>,
    context: &'a Shared<'a, f32>,
    text: usize,
    head: usize,
}

#[inline(always)]
pub(super) fn attend_head<I: Isa>(head: &Head<'_>) {
    let (batch, columns) = (head.batch, head.attention.columns);
    let length = batch.length;
    let mask = batch
        .mask
        .map(|mask| &mask[head.text * length..(head.text + 1) * length]);
    // Padding at the end is seen by nobody.
    let seen = mask.map_or(length, |mask| {
        mask.iter()
            .rposition(|&bit| bit != 0)
            .map_or(0, |at| at + 1)
    });
    let queries = head.load_queries();
    let keys = head.load_keys::<I>(seen);
    let values = head.load_values::<I>(seen);
    let stride = seen.next_multiple_of(I::COLUMNS);
    let mut scores = vec![0f32; ROWS.min(length) * stride];
    let mut tile = [0f32; super::isa::LARGEST_TILE];
    let mut sums = [0f32; ROWS];
    for first in (0..length).step_by(ROWS) {
        let rows = ROWS.min(length - first);
        // Columns that any of these rows can see, by whole panels of keys.
        let (from, to) = match head.attention.window {
            None => (0, seen),
            Some(window) => (
                first.saturating_sub(window).min(seen),
                first.saturating_add(rows).saturating_add(window).min(seen),
            ),
        };
        let from = from - from % I::COLUMNS;
        for panel in from / I::COLUMNS..to.div_ceil(I::COLUMNS) {
            let keys = &keys[panel * columns * I::COLUMNS..][..columns * I::COLUMNS];
            for row in (0..rows).step_by(I::ROWS) {
                let count = (rows - row).min(I::ROWS);
                let queries = &queries[(first + row) * columns..][..count * columns];
                let scores = &mut scores[row * stride + panel * I::COLUMNS..];
                assert!(scores.len() >= (count - 1) * stride + I::COLUMNS);
                // SAFETY: the slices hold `count` rows and a panel.
                unsafe {
                    let (left, panel, out) = (queries.as_ptr(), keys.as_ptr(), scores.as_mut_ptr());
                    I::floats(count, left, columns, panel, columns, out, stride);
                }
            }
        }
        for (at, sum) in sums.iter_mut().enumerate().take(rows) {
            let scores = &mut scores[at * stride + from..at * stride + to];
            *sum = head.attention.weigh::<I>(scores, first + at, from, mask);
        }
        for panel in 0..columns.div_ceil(I::COLUMNS) {
            let size = seen * I::COLUMNS;
            let panel_values = &values[panel * size..(panel + 1) * size][from * I::COLUMNS..];
            for row in (0..rows).step_by(I::ROWS) {
                let count = (rows - row).min(I::ROWS);
                let depth = to.saturating_sub(from);
                let weights = &scores[(row * stride + from).min(scores.len())..];
                assert!(depth == 0 || weights.len() >= (count - 1) * stride + depth);
                assert!(panel_values.len() >= depth * I::COLUMNS);
                // SAFETY: the slices hold `count` rows of weights, as many
                // values, and the tile has room for the largest.
                unsafe {
                    let (left, panel) = (weights.as_ptr(), panel_values.as_ptr());
                    let out = tile.as_mut_ptr();
                    I::floats(count, left, stride, panel, depth, out, I::COLUMNS);
                }
                for (at, tile) in tile.chunks_exact(I::COLUMNS).take(count).enumerate() {
                    let first_column = panel * I::COLUMNS;
                    head.finish(first + row + at, first_column, tile, sums[row + at]);
                }
            }
        }
    }
}

impl Head<'_> {
    /// The columns of this head in a row.
    #[inline(always)]
    fn row<'a>(&self, rows: &'a Rows<'a>, position: usize) -> &'a [f32] {
        let columns = self.attention.columns;
        let row = self.text * self.batch.length + position;
        rows.row(row, self.head * columns, columns)
    }

    /// The same, turned where rows are.
    #[inline(always)]
    fn turned<'a>(&self, rows: &'a Rows<'a>, position: usize, scratch: &'a mut [f32]) -> &'a [f32] {
        let row = self.row(rows, position);
        let Some(rotation) = &self.batch.rotation else {
            return row;
        };
        scratch.copy_from_slice(row);
        rotation.turn(scratch, position);
        scratch
    }

    /// Queries, turned and scaled: `[length, columns]`.
    #[inline(always)]
    fn load_queries(&self) -> Vec<f32> {
        let columns = self.attention.columns;
        let mut queries = vec![0f32; self.batch.length * columns];
        let mut scratch = vec![0f32; columns];
        for (position, row) in queries.chunks_exact_mut(columns).enumerate() {
            let turned = self.turned(&self.batch.queries, position, &mut scratch);
            for (query, value) in row.iter_mut().zip(turned) {
                *query = value * self.attention.scale;
            }
        }
        queries
    }

    /// Keys, turned, a panel for each so many tokens: `[columns, COLUMNS]`.
    #[inline(always)]
    fn load_keys<I: Isa>(&self, seen: usize) -> Vec<f32> {
        let columns = self.attention.columns;
        let panels = seen.div_ceil(I::COLUMNS);
        let mut keys = vec![0f32; panels * I::COLUMNS * columns];
        let mut scratch = vec![0f32; columns];
        for position in 0..seen {
            let row = self.turned(&self.batch.keys, position, &mut scratch);
            let panel = position / I::COLUMNS * I::COLUMNS * columns;
            let places = keys[panel + position % I::COLUMNS..].iter_mut();
            for (place, value) in places.step_by(I::COLUMNS).zip(row) {
                *place = *value;
            }
        }
        keys
    }

    /// Values, a panel for each so many columns: `[seen, COLUMNS]`.
    #[inline(always)]
    fn load_values<I: Isa>(&self, seen: usize) -> Vec<f32> {
        let columns = self.attention.columns;
        let panels = columns.div_ceil(I::COLUMNS);
        let mut values = vec![0f32; panels * seen * I::COLUMNS];
        for position in 0..seen {
            let row = self.row(&self.batch.values, position);
            for (panel, part) in row.chunks(I::COLUMNS).enumerate() {
                let start = (panel * seen + position) * I::COLUMNS;
                let place = &mut values[start..start + I::COLUMNS];
                // A size that the compiler knows spares a call.
                match part.len() == I::COLUMNS {
                    true => place.copy_from_slice(&part[..I::COLUMNS]),
                    false => place[..part.len()].copy_from_slice(part),
                }
            }
        }
        values
    }

    /// Writes sums of weighted values, of a row from a column on.
    #[inline(always)]
    fn finish(&self, position: usize, first: usize, sums: &[f32], weight: f32) {
        let columns = self.attention.columns;
        let width = sums.len().min(columns - first);
        let row = self.text * self.batch.length + position;
        let start = row * self.attention.heads * columns + self.head * columns + first;
        // SAFETY: each head of each text is computed by one task alone.
        let out = unsafe { self.context.part(start..start + width) };
        if weight > 0. {
            let share = 1. / weight;
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum * share;
            }
        } else if weight.is_nan() {
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

impl Attention {
    /// Makes weights of a row's scores, from the column `from` on, and returns
    /// their sum; 0 if none is seen.
    #[inline(always)]
    fn weigh<I: Isa>(
        &self,
        scores: &mut [f32],
        row: usize,
        from: usize,
        mask: Option<&[i64]>,
    ) -> f32 {
        if let Some(mask) = mask {
            for (score, &seen) in scores.iter_mut().zip(&mask[from..]) {
                *score = if seen == 0 { f32::NEG_INFINITY } else { *score };
            }
        }
        if let Some(window) = self.window {
            let start = row
                .saturating_sub(window)
                .saturating_sub(from)
                .min(scores.len());
            let end = (row.saturating_add(window).saturating_add(1))
                .saturating_sub(from)
                .min(scores.len());
            scores[..start].fill(f32::NEG_INFINITY);
            scores[end..].fill(f32::NEG_INFINITY);
        }
        let largest = fold(scores, f32::NEG_INFINITY, |one, other| match one > other {
            true => one,
            false => other,
        });
        if largest == f32::NEG_INFINITY {
            // None is seen, or what is seen is not a number.
            let sum: f32 = scores.iter().filter(|score| score.is_nan()).sum();
            scores.fill(0.);
            return sum;
        }
        for score in &mut *scores {
            *score = exp::<I>(*score - largest);
        }
        fold(scores, 0., |one, other| one + other)
    }
}

/// Folds in lanes of their own, so that no step waits for the one before.
#[inline(always)]
fn fold(values: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = step(*value, *lane);
        }
    }
    let all = lanes.iter().chain(rest);
    all.fold(start, |one, other| step(*other, one))
}

impl Rotation<'_> {
    /// Turns a row of that position.
    #[inline(always)]
    pub(crate) fn turn(&self, row: &mut [f32], position: usize) {
        let columns = row.len();
        let angles = position * columns..(position + 1) * columns;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        let half = columns / 2;
        if self.interleaved {
            for at in 0..half {
                let (left, right) = (2 * at, 2 * at + 1);
                let (x, y) = (row[left], row[right]);
                row[left] = x * cos[left] - y * sin[left];
                row[right] = y * cos[right] + x * sin[right];
            }
            return;
        }
        let (lefts, rights) = row.split_at_mut(half);
        for (at, (left, right)) in lefts.iter_mut().zip(rights).enumerate() {
            let (x, y) = (*left, *right);
            *left = x * cos[at] - y * sin[at];
            *right = y * cos[at + half] + x * sin[at + half];
        }
    }
}

#[cfg(test)]
mod tests;
