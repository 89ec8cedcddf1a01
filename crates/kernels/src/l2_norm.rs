//! L2 normalization.

use crate::threads::{Matrix, Parallel, for_rows};

/// L2 normalization of rows: each is divided by its norm, which a small constant
/// keeps from being 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2Normalize {
    /// How the constant is applied.
    pub bound: Bound,
    /// The constant.
    pub epsilon: f32,
}

/// The divisor of a row `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// `max(|x|, epsilon)`
    Max,
    /// `|x| + epsilon`
    Sum,
    /// `sqrt(|x|^2 + epsilon^2)`
    Root,
}

impl Bound {
    /// Parses `max`, `sum` or `root`.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Max, Self::Sum, Self::Root];
        all.into_iter().find(|bound| bound.name() == name)
    }

    /// The name, as used in graphs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Root => "root",
        }
    }
}

/// Rows that a task normalizes at least, so that no thread is woken for a few.
const MIN_ROWS_PER_TASK: usize = 64;

impl L2Normalize {
    /// Normalizes `[rows, columns]` into `out`, of the same shape.
    ///
    /// # Panics
    /// If the slices have different sizes, or partial rows.
    pub fn run(&self, rows: &[f32], columns: usize, out: &mut [f32], threads: &dyn Parallel) {
        for_rows(
            Matrix {
                values: rows,
                columns,
            },
            out,
            MIN_ROWS_PER_TASK,
            threads,
            &|rows, out| {
                let rows = rows.chunks_exact(columns);
                for (row, out) in rows.zip(out.chunks_exact_mut(columns)) {
                    let divisor = self.divisor(squares(row));
                    for (out, x) in out.iter_mut().zip(row) {
                        *out = x / divisor;
                    }
                }
            },
        );
    }

    fn divisor(&self, squares: f32) -> f32 {
        match self.bound {
            // Unlike `f32::max`, returns NaN for NaN.
            Bound::Max if squares.sqrt() < self.epsilon => self.epsilon,
            Bound::Max => squares.sqrt(),
            Bound::Sum => squares.sqrt() + self.epsilon,
            Bound::Root => (squares + self.epsilon * self.epsilon).sqrt(),
        }
    }
}

/// The sum of squares, in 16 accumulators, so that it can be vectorized.
fn squares(row: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for at in 0..16 {
            lanes[at] += chunk[at] * chunk[at];
        }
    }
    let rest: f32 = rest.iter().map(|value| value * value).sum();
    rest + lanes.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Serial;

    #[test]
    fn matches_the_definition() {
        let epsilon = 1e-3;
        for columns in [1, 5, 32, 77, 128] {
            // Norms of 0, below epsilon, about epsilon, and above.
            let value = |at: usize| {
                let size = [0., 1e-5, 1e-3, 1., 1e4][at / columns % 5];
                (at as f32 * 1.7).sin() * size
            };
            // Miri takes minutes for more.
            let count = if cfg!(miri) { 5 } else { 200 };
            let rows: Vec<f32> = (0..columns * count).map(value).collect();
            for bound in [Bound::Max, Bound::Sum, Bound::Root] {
                let mut found = vec![f32::NAN; rows.len()];
                let normalize = L2Normalize { bound, epsilon };
                normalize.run(&rows, columns, &mut found, &Serial);
                for (row, found) in rows.chunks(columns).zip(found.chunks(columns)) {
                    let squares: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
                    let epsilon = f64::from(epsilon);
                    let divisor = match bound {
                        Bound::Max => squares.sqrt().max(epsilon),
                        Bound::Sum => squares.sqrt() + epsilon,
                        Bound::Root => (squares + epsilon.powi(2)).sqrt(),
                    };
                    for (x, found) in row.iter().zip(found) {
                        let expected = f64::from(*x) / divisor;
                        assert!(
                            (f64::from(*found) - expected).abs() < 1e-6,
                            "{found} {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn nan_stays_nan() {
        let normalize = L2Normalize {
            bound: Bound::Max,
            epsilon: 1e-12,
        };
        let mut out = [0.; 2];
        normalize.run(&[f32::NAN, 1.], 2, &mut out, &Serial);
        assert!(out.iter().all(|value| value.is_nan()));
        normalize.run(&[], 0, &mut [], &Serial);
    }
}
