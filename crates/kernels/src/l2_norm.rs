//! L2 normalization.

use crate::threads::{Parallel, for_rows};

/// L2 normalization over rows: each is divided by its length, which is kept
/// from being too small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2Normalize {
    /// How it is kept.
    pub bound: Bound,
    /// By how much.
    pub epsilon: f32,
}

/// What a row `x` is divided by.
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
    /// The bound of that name: `max`, `sum` or `root`.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Max, Self::Sum, Self::Root];
        all.into_iter().find(|bound| bound.name() == name)
    }

    /// Its name in graphs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Root => "root",
        }
    }
}

/// Fewest rows of a task.
const ROWS_A_TASK: usize = 64;

impl L2Normalize {
    /// Writes scaled rows, `[rows, columns]` of both.
    ///
    /// # Panics
    /// If the slices are not of the same size, or not of whole rows.
    pub fn run(&self, rows: &[f32], columns: usize, out: &mut [f32], threads: &dyn Parallel) {
        for_rows((rows, columns), out, ROWS_A_TASK, threads, &|rows, out| {
            let rows = rows.chunks_exact(columns);
            for (row, out) in rows.zip(out.chunks_exact_mut(columns)) {
                let divisor = self.divisor(squares(row));
                for (out, x) in out.iter_mut().zip(row) {
                    *out = x / divisor;
                }
            }
        });
    }

    fn divisor(&self, squares: f32) -> f32 {
        match self.bound {
            // Not a number stays so.
            Bound::Max if squares.sqrt() < self.epsilon => self.epsilon,
            Bound::Max => squares.sqrt(),
            Bound::Sum => squares.sqrt() + self.epsilon,
            Bound::Root => (squares + self.epsilon * self.epsilon).sqrt(),
        }
    }
}

/// The sum of squares, in lanes of their own, so that no step waits for the
/// one before.
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
    fn is_the_definition() {
        let epsilon = 1e-3;
        for columns in [1, 5, 32, 77, 128] {
            // Rows of length 0, shorter than epsilon, about as long, and longer.
            let value = |at: usize| {
                let length = [0., 1e-5, 1e-3, 1., 1e4][at / columns % 5];
                (at as f32 * 1.7).sin() * length
            };
            let rows: Vec<f32> = (0..columns * 200).map(value).collect();
            for bound in [Bound::Max, Bound::Sum, Bound::Root] {
                let mut found = vec![f32::NAN; rows.len()];
                let scale = L2Normalize { bound, epsilon };
                scale.run(&rows, columns, &mut found, &Serial);
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
    fn what_is_no_number_stays_so() {
        let scale = L2Normalize {
            bound: Bound::Max,
            epsilon: 1e-12,
        };
        let mut out = [0.; 2];
        scale.run(&[f32::NAN, 1.], 2, &mut out, &Serial);
        assert!(out.iter().all(|one| one.is_nan()));
        scale.run(&[], 0, &mut [], &Serial);
    }
}
