//! Layer normalization.

use super::isa::{InstructionSet, Isa, Plain, Vector, entry};
use crate::threads::{Matrix, Parallel, for_rows};

/// Layer normalization (Ba et al., 2016) of rows:
/// `(x - mean(x)) / sqrt(var(x) + epsilon) * scale (+ bias)`.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// Added to the variance.
    pub epsilon: f32,
    /// One per column.
    pub scale: &'a [f32],
    /// One per column, or none.
    pub bias: Option<&'a [f32]>,
}

/// Rows that a task normalizes at least, so that no thread is woken for a few.
pub(super) const MIN_ROWS_PER_TASK: usize = 32;

impl LayerNorm<'_> {
    /// Normalizes `[rows, columns]` into `out`, of the same shape.
    ///
    /// # Panics
    /// If the slices have different sizes, or partial rows.
    pub fn run(&self, rows: &[f32], out: &mut [f32], threads: &dyn Parallel) {
        let columns = self.scale.len();
        assert!(
            self.bias.is_none_or(|bias| bias.len() == columns),
            "a bias for each column"
        );
        let set = InstructionSet::best();
        for_rows(
            Matrix {
                values: rows,
                columns,
            },
            out,
            MIN_ROWS_PER_TASK,
            threads,
            &|rows, out| {
                normalize_with(set, self, rows, out);
            },
        );
    }
}

#[inline(always)]
pub(super) fn normalize_rows<I: Isa>(
    isa: I,
    normalize: &LayerNorm<'_>,
    rows: &[f32],
    out: &mut [f32],
) {
    let columns = normalize.scale.len();
    let bias = normalize.bias.unwrap_or(&[]);
    let inverse_count = 1. / columns as f32;
    for (row, out) in rows
        .chunks_exact(columns)
        .zip(out.chunks_exact_mut(columns))
    {
        let mean = sum_of_powers::<_, 1>(isa, row, 0.) * inverse_count;
        let variance = sum_of_powers::<_, 2>(isa, row, mean) * inverse_count;
        let moments = Moments {
            mean,
            inverse_deviation: 1. / (variance + normalize.epsilon).sqrt(),
        };
        scale_row(
            isa,
            Scaled {
                row,
                scale: normalize.scale,
                bias,
                moments,
            },
            out,
        );
    }
}

/// A row, and what makes it normal.
#[derive(Clone, Copy)]
pub(super) struct Scaled<'a> {
    pub(super) row: &'a [f32],
    /// One per column.
    pub(super) scale: &'a [f32],
    /// One per column, or empty.
    pub(super) bias: &'a [f32],
    pub(super) moments: Moments,
}

/// `(row - mean) * inverse_deviation * scale + bias`
#[inline(always)]
pub(super) fn scale_row<I: Isa>(isa: I, scaled: Scaled<'_>, out: &mut [f32]) {
    let Scaled {
        row,
        scale,
        bias,
        moments,
    } = scaled;
    let columns = row.len();
    assert!(
        scale.len() == columns && out.len() == columns && [0, columns].contains(&bias.len()),
        "a value for each column"
    );
    let lanes = I::Vector::LANES;
    let rest = columns - columns % lanes;
    for at in (0..rest).step_by(lanes) {
        // SAFETY: the vector ends at or before `rest`, and the row, the output, the
        // scale and the bias (if any) have `columns` values.
        unsafe {
            let value = normalized(isa, row, scale, at, moments);
            let value = if bias.is_empty() {
                value
            } else {
                value.add(isa.load(bias.as_ptr().add(at)))
            };
            value.store(out.as_mut_ptr().add(at));
        }
    }
    for (at, out) in out.iter_mut().enumerate().skip(rest) {
        // SAFETY: `at` is one of the `columns` of the row and the scale.
        let value = unsafe { normalized(Plain::<1>, row, scale, at, moments) };
        *out = value + bias.get(at).copied().unwrap_or(0.);
    }
}

/// Of one row.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) mean: f32,
    pub(super) inverse_deviation: f32,
}

/// # Safety
/// `row` and `scale` have a vector at `at`.
#[inline(always)]
unsafe fn normalized<I: Isa>(
    isa: I,
    row: &[f32],
    scale: &[f32],
    at: usize,
    moments: Moments,
) -> I::Vector {
    // SAFETY: the caller passes the offset of a vector of both.
    let (value, scale) = unsafe {
        (
            isa.load(row.as_ptr().add(at)),
            isa.load(scale.as_ptr().add(at)),
        )
    };
    value
        .sub(isa.splat(moments.mean))
        .mul(isa.splat(moments.inverse_deviation))
        .mul(scale)
}

/// The sum of `(value - mean)^POWER`, for a power of 1 or 2.
#[inline(always)]
pub(super) fn sum_of_powers<I: Isa, const POWER: u32>(isa: I, values: &[f32], mean: f32) -> f32 {
    // Four accumulators, so that steps do not wait for each other.
    let mut sums = [isa.splat(0.); 4];
    let block = 4 * I::Vector::LANES;
    let rest = values.len() - values.len() % block;
    for at in (0..rest).step_by(block) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: all four vectors end at or before `rest`, which is in `values`.
            let value = unsafe { isa.load(values.as_ptr().add(at + part * I::Vector::LANES)) };
            let value = value.sub(isa.splat(mean));
            *sum = match POWER {
                1 => sum.add(value),
                _ => value.mul_add(value, *sum),
            };
        }
    }
    let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
    // Not `powi`, whose precision differs between platforms.
    let rest = values[rest..].iter().map(|value| {
        let value = value - mean;
        if POWER == 1 { value } else { value * value }
    });
    sum + rest.sum::<f32>()
}

entry! {
    /// Layer normalization, see [`normalize_rows`].
    normalize_with, NormalizeRows<'a> = normalize_rows(
        normalize: &'a LayerNorm<'a>,
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
        for columns in [1, 5, 32, 77] {
            let rows: Vec<f32> = (0..columns * 9)
                .map(|at| (at as f32 * 1.7).sin() * 3. + 1.)
                .collect();
            let scale: Vec<f32> = (0..columns).map(|at| 0.5 + at as f32 * 0.01).collect();
            let bias: Vec<f32> = (0..columns).map(|at| at as f32 * 0.1 - 1.).collect();
            for bias in [None, Some(bias.as_slice())] {
                let normalize = LayerNorm {
                    epsilon: 1e-5,
                    scale: &scale,
                    bias,
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

    fn check(normalize: &LayerNorm<'_>, rows: &[f32], found: &[f32]) {
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
