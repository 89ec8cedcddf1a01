//! Attention over all heads of a padded batch.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::exp::exp_in_place;

/// Rows of scores that are computed at a time: few enough to stay in a cache.
const ROWS: usize = 128;

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

/// The inputs of attention, `[batch, length, heads * columns]` each.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Tokens of each text.
    pub length: usize,
    /// Rows of queries.
    pub queries: &'a [f32],
    /// Rows of keys.
    pub keys: &'a [f32],
    /// Rows of values.
    pub values: &'a [f32],
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
    pub fn run(&self, batch: &Batch<'_>, context: &mut [f32]) {
        let (length, width) = (batch.length, self.heads * self.columns);
        let text = length * width;
        if text == 0 {
            return;
        }
        let mut scratch = Scratch::new(self, length);
        for (at, context) in context.chunks_exact_mut(text).enumerate() {
            let range = at * text..(at + 1) * text;
            let [queries, keys, values] = [batch.queries, batch.keys, batch.values]
                .map(|rows| matrix(&rows[range.clone()], length, width));
            let mask = batch.mask.map(|mask| &mask[at * length..(at + 1) * length]);
            let mut context = matrix_mut(context, length, width);
            for head in 0..self.heads {
                let columns = s![.., head * self.columns..(head + 1) * self.columns];
                scratch.load(
                    queries.slice(columns),
                    keys.slice(columns),
                    batch.rotation.as_ref(),
                    self.scale,
                );
                let values = values.slice(columns);
                self.head(&mut scratch, values, mask, context.slice_mut(columns));
            }
        }
    }

    fn head(
        &self,
        scratch: &mut Scratch,
        values: ArrayView2<'_, f32>,
        mask: Option<&[i64]>,
        mut context: ArrayViewMut2<'_, f32>,
    ) {
        let length = values.nrows();
        for first in (0..length).step_by(ROWS) {
            let last = (first + ROWS).min(length);
            // Columns that any of these rows can see.
            let (from, to) = match self.window {
                None => (0, length),
                Some(window) => (first.saturating_sub(window), (last + window).min(length)),
            };
            let (rows, columns) = (last - first, to - from);
            let queries = matrix(&scratch.queries, length, self.columns);
            let keys = matrix(&scratch.keys, length, self.columns);
            let scores = &mut scratch.scores[..rows * columns];
            general_mat_mul(
                1.,
                &queries.slice(s![first..last, ..]),
                &keys.slice(s![from..to, ..]).t(),
                0.,
                &mut matrix_mut(scores, rows, columns),
            );
            let sums = &mut scratch.sums[..rows];
            for (at, (row, sum)) in scores.chunks_exact_mut(columns).zip(&mut *sums).enumerate() {
                self.hide(row, first + at, from, mask);
                *sum = weigh(row);
            }
            let mut context = context.slice_mut(s![first..last, ..]);
            general_mat_mul(
                1.,
                &matrix(scores, rows, columns),
                &values.slice(s![from..to, ..]),
                0.,
                &mut context,
            );
            for (mut row, &sum) in context.rows_mut().into_iter().zip(&*sums) {
                if sum > 0. {
                    row *= 1. / sum;
                } else if self.fill == f32::NEG_INFINITY {
                    row.fill(0.);
                } else if let Some(mean) = values.mean_axis(ndarray::Axis(0)) {
                    row.assign(&mean);
                }
            }
        }
    }

    /// Brings the scores of tokens that `row` does not see to minus infinity.
    fn hide(&self, scores: &mut [f32], row: usize, from: usize, mask: Option<&[i64]>) {
        if let Some(mask) = mask {
            for (score, &seen) in scores.iter_mut().zip(&mask[from..]) {
                if seen == 0 {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
        if let Some(window) = self.window {
            let start = row.saturating_sub(window).saturating_sub(from);
            let end = (row + window + 1 - from).min(scores.len());
            scores[..start].fill(f32::NEG_INFINITY);
            scores[end..].fill(f32::NEG_INFINITY);
        }
    }
}

/// Makes weights of scores, and returns their sum; 0 if none is seen.
fn weigh(scores: &mut [f32]) -> f32 {
    let largest = fold(scores, f32::NEG_INFINITY, |one, other| match one > other {
        true => one,
        false => other,
    });
    if largest == f32::NEG_INFINITY {
        scores.fill(0.);
        return 0.;
    }
    for score in &mut *scores {
        *score -= largest;
    }
    exp_in_place(scores);
    fold(scores, 0., |one, other| one + other)
}

/// Folds in lanes of their own, so that no step waits for the one before.
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

/// Buffers for one head.
struct Scratch {
    queries: Vec<f32>,
    keys: Vec<f32>,
    scores: Vec<f32>,
    sums: Vec<f32>,
}

impl Scratch {
    fn new(attention: &Attention, length: usize) -> Self {
        let rows = ROWS.min(length);
        Self {
            queries: vec![0.; length * attention.columns],
            keys: vec![0.; length * attention.columns],
            scores: vec![0.; rows * length],
            sums: vec![0.; rows],
        }
    }

    /// Takes in a head's rows: turned, the queries scaled.
    fn load(
        &mut self,
        queries: ArrayView2<'_, f32>,
        keys: ArrayView2<'_, f32>,
        rotation: Option<&Rotation<'_>>,
        scale: f32,
    ) {
        let columns = queries.ncols();
        for (into, from) in [(&mut self.queries, queries), (&mut self.keys, keys)] {
            for (at, (into, from)) in into.chunks_exact_mut(columns).zip(from.rows()).enumerate() {
                for (into, from) in into.iter_mut().zip(from) {
                    *into = *from;
                }
                if let Some(rotation) = rotation {
                    rotation.turn(into, at);
                }
            }
        }
        for query in &mut self.queries {
            *query *= scale;
        }
    }
}

impl Rotation<'_> {
    /// Turns a row of that position.
    pub(crate) fn turn(&self, row: &mut [f32], position: usize) {
        let columns = row.len();
        let angles = position * columns..(position + 1) * columns;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        let half = columns / 2;
        for pair in 0..half {
            let (left, right) = match self.interleaved {
                true => (2 * pair, 2 * pair + 1),
                false => (pair, pair + half),
            };
            let (x, y) = (row[left], row[right]);
            row[left] = x * cos[left] - y * sin[left];
            row[right] = y * cos[right] + x * sin[right];
        }
    }
}

fn matrix(data: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    match ArrayView2::from_shape((rows, columns), data) {
        Ok(matrix) => matrix,
        Err(error) => unreachable!("{rows} rows of {columns} columns: {error}"),
    }
}

fn matrix_mut(data: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    match ArrayViewMut2::from_shape((rows, columns), data) {
        Ok(matrix) => matrix,
        Err(error) => unreachable!("{rows} rows of {columns} columns: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let number = |at: usize| ((at as f32 + 1.) * (seed as f32 + 0.7)).sin() * 2.;
        (0..count).map(number).collect()
    }

    /// The definition, in 64 bits.
    fn plain(attention: &Attention, batch: &Batch<'_>, text: usize, row: usize) -> Vec<f64> {
        let (heads, columns) = (attention.heads, attention.columns);
        let width = heads * columns;
        let turned = |rows: &[f32], at: usize, head: usize| -> Vec<f64> {
            let start = (text * batch.length + at) * width + head * columns;
            let mut row = rows[start..start + columns].to_vec();
            if let Some(rotation) = &batch.rotation {
                rotation.turn(&mut row, at);
            }
            row.into_iter().map(f64::from).collect()
        };
        let mut context = Vec::new();
        for head in 0..heads {
            let query = turned(batch.queries, row, head);
            let seen = |at: &usize| {
                batch
                    .mask
                    .is_none_or(|mask| mask[text * batch.length + at] != 0)
                    && attention
                        .window
                        .is_none_or(|window| row.abs_diff(*at) <= window)
            };
            let mut columns_seen: Vec<usize> = (0..batch.length).filter(seen).collect();
            let nothing = columns_seen.is_empty();
            if nothing && attention.fill.is_finite() {
                columns_seen = (0..batch.length).collect();
            }
            let weights: Vec<f64> = columns_seen
                .iter()
                .map(|&at| match nothing {
                    true => 1.,
                    false => {
                        let key = turned(batch.keys, at, head);
                        let score: f64 = query.iter().zip(&key).map(|(q, k)| q * k).sum();
                        (score * f64::from(attention.scale)).exp()
                    }
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for column in 0..columns {
                let value = |at: usize| {
                    f64::from(
                        batch.values[(text * batch.length + at) * width + head * columns + column],
                    )
                };
                let total: f64 = columns_seen
                    .iter()
                    .zip(&weights)
                    .map(|(&at, w)| w * value(at))
                    .sum();
                context.push(if sum == 0. { 0. } else { total / sum });
            }
        }
        context
    }

    #[test]
    fn is_the_definition() {
        let (heads, columns, texts) = (3, 8, 2);
        for length in [1, 5, 47, 120] {
            let size = texts * length * heads * columns;
            let rows = [1, 2, 3].map(|seed| numbers(size, seed));
            let angles: Vec<f32> = (0..length * columns)
                .map(|at| (at / columns * (at % columns % (columns / 2) + 1)) as f32 * 0.1)
                .collect();
            let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
            let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
            // The second text ends early, with a hole before.
            let seen = |at: usize| {
                i64::from(at < length || (at % length) * 3 < length && at % length != 1)
            };
            let mask: Vec<i64> = (0..texts * length).map(seen).collect();
            for window in [None, Some(0), Some(3), Some(200)] {
                for fill in [f32::NEG_INFINITY, f32::MIN] {
                    for rotated in [false, true] {
                        let attention = Attention {
                            heads,
                            columns,
                            scale: 0.35,
                            window,
                            fill,
                        };
                        let batch = Batch {
                            length,
                            queries: &rows[0],
                            keys: &rows[1],
                            values: &rows[2],
                            mask: Some(&mask),
                            rotation: rotated.then_some(Rotation {
                                cos: &cos,
                                sin: &sin,
                                interleaved: false,
                            }),
                        };
                        let mut found = vec![f32::NAN; size];
                        attention.run(&batch, &mut found);
                        for (at, found) in found.chunks_exact(heads * columns).enumerate() {
                            let expected = plain(&attention, &batch, at / length, at % length);
                            for (found, expected) in found.iter().zip(expected) {
                                let error = (f64::from(*found) - expected).abs();
                                assert!(
                                    error < 1e-5,
                                    "{length} {window:?} {fill}: {found} {expected}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
