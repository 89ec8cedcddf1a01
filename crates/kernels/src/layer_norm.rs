//! Layer normalization.

use super::isa::{self, Isa, Kind, Vector};
use crate::threads::{Parallel, for_rows};

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

/// Fewest rows of a task.
const ROWS_A_TASK: usize = 32;

impl Normalize<'_> {
    /// Writes normalized rows, `[rows, columns]` of both.
    ///
    /// # Panics
    /// If the slices are not of the same size, or not of whole rows.
    pub fn run(&self, rows: &[f32], out: &mut [f32], threads: &dyn Parallel) {
        let columns = self.scale.len();
        assert!(
            self.bias.is_none_or(|bias| bias.len() == columns),
            "a bias for each column"
        );
        let kind = Kind::best();
        for_rows((rows, columns), out, ROWS_A_TASK, threads, &|rows, out| {
            isa::normalize(kind, self, rows, out);
        });
    }
}

#[inline(always)]
pub(super) fn normalize_rows<I: Isa>(normalize: &Normalize<'_>, rows: &[f32], out: &mut [f32]) {
    let columns = normalize.scale.len();
    let bias = normalize.bias.unwrap_or(&[]);
    let lanes = I::Vector::LANES;
    let rest = columns - columns % lanes;
    let share = 1. / columns as f32;
    for (row, out) in rows
        .chunks_exact(columns)
        .zip(out.chunks_exact_mut(columns))
    {
        let mean = sum_of_powers::<I::Vector, 1>(row, 0.) * share;
        let variance = sum_of_powers::<I::Vector, 2>(row, mean) * share;
        let factor = 1. / (variance + normalize.epsilon).sqrt();
        for at in (0..rest).step_by(lanes) {
            // SAFETY: a vector before the rest; all slices are of this size.
            unsafe {
                let value = normalized::<I::Vector>(row, normalize.scale, at, (mean, factor));
                let value = match bias.is_empty() {
                    true => value,
                    false => value.add(I::Vector::load(bias.as_ptr().add(at))),
                };
                value.store(out.as_mut_ptr().add(at));
            }
        }
        for (at, out) in out.iter_mut().enumerate().skip(rest) {
            // SAFETY: within the row.
            let value = unsafe { normalized::<f32>(row, normalize.scale, at, (mean, factor)) };
            *out = value + bias.get(at).copied().unwrap_or(0.);
        }
    }
}

/// # Safety
/// There is a vector at this place in both.
#[inline(always)]
unsafe fn normalized<V: Vector>(
    row: &[f32],
    scale: &[f32],
    at: usize,
    (mean, factor): (f32, f32),
) -> V {
    // SAFETY: the caller's.
    let (value, scale) = unsafe {
        (
            V::load(row.as_ptr().add(at)),
            V::load(scale.as_ptr().add(at)),
        )
    };
    value.sub(V::splat(mean)).mul(V::splat(factor)).mul(scale)
}

/// The sum of values less `mean`, or of their squares.
#[inline(always)]
fn sum_of_powers<V: Vector, const POWER: u32>(values: &[f32], mean: f32) -> f32 {
    // Sums of their own, so that no step waits for the one before.
    let mut sums = [V::splat(0.); 4];
    let block = 4 * V::LANES;
    let rest = values.len() - values.len() % block;
    for at in (0..rest).step_by(block) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: a vector before the rest.
            let value = unsafe { V::load(values.as_ptr().add(at + part * V::LANES)) };
            let value = value.sub(V::splat(mean));
            *sum = match POWER {
                1 => sum.add(value),
                _ => value.mul_add(value, *sum),
            };
        }
    }
    let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
    let rest = values[rest..]
        .iter()
        .map(|value| (value - mean).powi(POWER as i32));
    sum + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Serial;

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
