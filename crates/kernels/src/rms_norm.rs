//! Normalization by the root of the mean square.

use super::isa::{InstructionSet, Isa, entry};
use super::layer_norm::{MIN_ROWS_PER_TASK, Moments, Scaled, scale_row, sum_of_powers};
use crate::threads::{Matrix, Parallel, for_rows};

/// RMS normalization (Zhang and Sennrich, 2019) of rows:
/// `x / sqrt(mean(x^2) + epsilon) * scale`.
#[derive(Clone, Copy, Debug)]
pub struct RmsNorm<'a> {
    /// Added to the mean square.
    pub epsilon: f32,
    /// One per column.
    pub scale: &'a [f32],
}

impl RmsNorm<'_> {
    /// Normalizes `[rows, columns]` into `out`, of the same shape.
    ///
    /// # Panics
    /// If the slices have different sizes, or partial rows.
    pub fn run(&self, rows: &[f32], out: &mut [f32], threads: &dyn Parallel) {
        let set = InstructionSet::best();
        let matrix = Matrix {
            values: rows,
            columns: self.scale.len(),
        };
        for_rows(matrix, out, MIN_ROWS_PER_TASK, threads, &|rows, out| {
            normalize_with(set, self, rows, out);
        });
    }
}

#[inline(always)]
fn normalize_rows<I: Isa>(isa: I, normalize: &RmsNorm<'_>, rows: &[f32], out: &mut [f32]) {
    let columns = normalize.scale.len();
    let inverse_count = 1. / columns as f32;
    for (row, out) in rows
        .chunks_exact(columns)
        .zip(out.chunks_exact_mut(columns))
    {
        let mean_square = sum_of_powers::<_, 2>(isa, row, 0.) * inverse_count;
        let scaled = Scaled {
            row,
            scale: normalize.scale,
            bias: &[],
            moments: Moments {
                mean: 0.,
                inverse_deviation: 1. / (mean_square + normalize.epsilon).sqrt(),
            },
        };
        scale_row(isa, scaled, out);
    }
}

entry! {
    /// RMS normalization, see [`normalize_rows`].
    normalize_with, NormalizeRows<'a> = normalize_rows(
        normalize: &'a RmsNorm<'a>,
        rows: &'a [f32],
        out: &'a mut [f32],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Serial;

    #[test]
    fn matches_the_definition() {
        for columns in [1, 5, 32, 77, 192] {
            let rows: Vec<f32> = (0..columns * 9)
                .map(|at| (at as f32 * 1.7).sin() * 3. + 1.)
                .collect();
            let scale: Vec<f32> = (0..columns).map(|at| 0.5 + at as f32 * 0.01).collect();
            for epsilon in [1e-6, 0.5] {
                let normalize = RmsNorm {
                    epsilon,
                    scale: &scale,
                };
                for set in InstructionSet::all() {
                    let mut found = vec![f32::NAN; rows.len()];
                    normalize_with(set, &normalize, &rows, &mut found);
                    check(&normalize, &rows, &found);
                }
                let mut found = vec![f32::NAN; rows.len()];
                normalize.run(&rows, &mut found, &Serial);
                check(&normalize, &rows, &found);
            }
        }
    }

    fn check(normalize: &RmsNorm<'_>, rows: &[f32], found: &[f32]) {
        let columns = normalize.scale.len();
        for (row, found) in rows.chunks(columns).zip(found.chunks(columns)) {
            let squares = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            let root = (squares / columns as f64 + f64::from(normalize.epsilon)).sqrt();
            for ((x, scale), found) in row.iter().zip(normalize.scale).zip(found) {
                let expected = f64::from(*x) / root * f64::from(*scale);
                let error = (f64::from(*found) - expected).abs();
                assert!(error < 1e-6 * expected.abs().max(1.), "{found} {expected}");
            }
        }
    }

    #[test]
    fn rows_of_zeros_stay_zeros() {
        let normalize = RmsNorm {
            epsilon: 1e-6,
            scale: &[2.; 5],
        };
        let mut found = [f32::NAN; 5];
        normalize.run(&[0.; 5], &mut found, &Serial);
        assert_eq!(found, [0.; 5]);
    }
}
