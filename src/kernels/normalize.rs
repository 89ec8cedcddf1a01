//! Layer normalization.

use super::isa::{self, Isa, Kind};
use super::parallel::{Parallel, Shared, ranges};

/// Layer normalization (Ba et al., 2016) over rows:
/// `(x - mean(x)) / sqrt(var(x) + epsilon) * scale (+ bias)`.
#[derive(Clone, Copy, Debug)]
pub struct Normalize<'a> {
    /// Added to the variance.
    pub epsilon: f32,
    /// One a column.
    pub scale: &'a [f32],
    /// One a column, or none.
    pub bias: Option<&'a [f32]>,
}

/// Rows of a task, so that threads are not woken for a few.
const ROWS_A_TASK: usize = 32;

impl Normalize<'_> {
    /// Writes normalized rows, `[rows, columns]` of both.
    ///
    /// # Panics
    /// If the slices are not of the same size, or not of whole rows.
    pub fn run(&self, rows: &[f32], out: &mut [f32], threads: &dyn Parallel) {
        let columns = self.scale.len();
        let count = rows.len().checked_div(columns).unwrap_or(0);
        assert_eq!(rows.len(), count * columns, "whole rows");
        assert_eq!(rows.len(), out.len(), "a row for each");
        assert!(
            self.bias.is_none_or(|bias| bias.len() == columns),
            "a bias for each column"
        );
        let parts = ranges(count, (count / ROWS_A_TASK).min(4 * threads.threads()));
        let out = Shared::new(out);
        let kind = Kind::best();
        threads.run(parts.len(), &|at| {
            let part = parts[at].start * columns..parts[at].end * columns;
            // SAFETY: the ranges do not overlap.
            let out = unsafe { out.part(part.clone()) };
            isa::normalize(kind, self, &rows[part], out);
        });
    }
}

#[inline(always)]
pub(super) fn normalize_rows<I: Isa>(normalize: &Normalize<'_>, rows: &[f32], out: &mut [f32]) {
    let columns = normalize.scale.len();
    let share = 1. / columns as f32;
    for (row, out) in rows
        .chunks_exact(columns)
        .zip(out.chunks_exact_mut(columns))
    {
        let mean = sum(row, |x| x) * share;
        let variance = sum(row, |x| (x - mean) * (x - mean)) * share;
        let factor = 1. / (variance + normalize.epsilon).sqrt();
        let values = row.iter().zip(normalize.scale);
        match normalize.bias {
            Some(bias) => {
                for ((out, (x, scale)), bias) in out.iter_mut().zip(values).zip(bias) {
                    *out = (x - mean) * factor * scale + bias;
                }
            }
            None => {
                for (out, (x, scale)) in out.iter_mut().zip(values) {
                    *out = (x - mean) * factor * scale;
                }
            }
        }
    }
}

/// A sum in lanes of their own, so that no step waits for the one before.
#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; 32];
    let (chunks, rest) = values.as_chunks::<32>();
    for chunk in chunks {
        for at in 0..32 {
            lanes[at] += term(chunk[at]);
        }
    }
    let rest: f32 = rest.iter().map(|&value| term(value)).sum();
    rest + lanes.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Serial;

    #[test]
    fn is_the_definition() {
        for columns in [1, 5, 32, 77] {
            let rows: Vec<f32> = (0..columns * 9)
                .map(|at| (at as f32 * 1.7).sin() * 3. + 1.)
                .collect();
            let scale: Vec<f32> = (0..columns).map(|at| 0.5 + at as f32 * 0.01).collect();
            let bias: Vec<f32> = (0..columns).map(|at| at as f32 * 0.1 - 1.).collect();
            for bias in [None, Some(bias.as_slice())] {
                let normalize = Normalize {
                    epsilon: 1e-5,
                    scale: &scale,
                    bias,
                };
                for kind in Kind::all() {
                    let mut found = vec![f32::NAN; rows.len()];
                    isa::normalize(kind, &normalize, &rows, &mut found);
                    check(&normalize, &rows, &found);
                }
                let mut found = vec![f32::NAN; rows.len()];
                normalize.run(&rows, &mut found, &Serial);
                check(&normalize, &rows, &found);
            }
        }
    }

    fn check(normalize: &Normalize<'_>, rows: &[f32], found: &[f32]) {
        let columns = normalize.scale.len();
        for (row, found) in rows.chunks(columns).zip(found.chunks(columns)) {
            let count = columns as f64;
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
            let deviation = (squares.sum::<f64>() / count + f64::from(normalize.epsilon)).sqrt();
            for (at, (x, found)) in row.iter().zip(found).enumerate() {
                let bias = normalize.bias.map_or(0., |bias| f64::from(bias[at]));
                let expected =
                    (f64::from(*x) - mean) / deviation * f64::from(normalize.scale[at]) + bias;
                assert!(
                    (f64::from(*found) - expected).abs() < 2e-5,
                    "{found} {expected}"
                );
            }
        }
    }
}
