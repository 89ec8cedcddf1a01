//! Gated convolution of few rows, column by column.

use super::isa::{InstructionSet, Isa, Plain, Vector, entry};
use crate::threads::{Parallel, Shared, ranges};

/// The gated short convolution of LFM2: rows are three parts, `b`, `c` and `x`,
/// and the result is `c * conv(b * x)`, where `conv` convolves each column along
/// its text with weights of its own. Rows before and after a text count as
/// zeros.
#[derive(Clone, Copy, Debug)]
pub struct ShortConvolution<'a> {
    /// `[width, taps]`
    pub weights: &'a [f32],
    /// One per column, or none.
    pub bias: Option<&'a [f32]>,
    /// Columns of each part.
    pub width: usize,
    /// How many rows before its own the first tap reads.
    pub before: usize,
}

/// Rows that a task computes at least, so that no thread is woken for a few.
const MIN_ROWS_PER_TASK: usize = 16;

impl ShortConvolution<'_> {
    /// Convolves texts of `length` rows, `[texts, length, 3 * width]`, into
    /// `out`, `[texts, length, width]`.
    ///
    /// # Panics
    /// If the slices do not have these sizes, or weights are not whole rows.
    pub fn run(&self, rows: &[f32], length: usize, out: &mut [f32], threads: &dyn Parallel) {
        let width = self.width;
        let count = out.len().checked_div(width).unwrap_or(0);
        if count == 0 {
            return;
        }
        assert!(
            out.len() == count * width && count.checked_rem(length) == Some(0),
            "whole texts"
        );
        assert_eq!(rows.len(), 3 * out.len(), "three parts");
        let taps = self.weights.len() / width;
        assert_eq!(
            self.weights.len(),
            taps * width,
            "as many taps of each column"
        );
        let bias = self.bias.unwrap_or(&[]);
        assert!(
            self.bias.is_none() || bias.len() == width,
            "a bias for each column"
        );
        let weights = (0..taps).flat_map(|tap| {
            let column = move |column: usize| self.weights[column * taps + tap];
            (0..width).map(column)
        });
        let filter = Filter {
            weights: &weights.collect::<Vec<f32>>(),
            bias,
            width,
            before: self.before,
        };
        let set = InstructionSet::best();
        let parts = ranges(
            count,
            (count / MIN_ROWS_PER_TASK).min(4 * threads.threads()),
        );
        let out = Shared::new(out);
        threads.run(parts.len(), &|at| {
            let part = parts[at].clone();
            // SAFETY: `ranges` do not overlap, and each is passed to one call.
            let out = unsafe { out.part(part.start * width..part.end * width) };
            let mut done = 0;
            while done < part.len() {
                let row = part.start + done;
                let (text, first) = (row / length, row % length);
                let end = (length - first).min(part.len() - done);
                let rows = &rows[text * length * 3 * width..][..length * 3 * width];
                let out = &mut out[done * width..][..end * width];
                convolve_with(set, &filter, rows, first, out);
                done += end;
            }
        });
    }
}

/// Weights as the loops read them.
pub(crate) struct Filter<'a> {
    /// `[taps, width]`
    weights: &'a [f32],
    /// One per column, or none.
    bias: &'a [f32],
    width: usize,
    before: usize,
}

/// Computes the rows of `text` from `first` on, as many as `out` has.
#[inline(always)]
fn convolve_rows<I: Isa>(isa: I, filter: &Filter<'_>, text: &[f32], first: usize, out: &mut [f32]) {
    let width = filter.width;
    let rest = width - width % I::Vector::LANES;
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let row = first + row;
        for column in (0..rest).step_by(I::Vector::LANES) {
            // SAFETY: the vector ends at or before `rest`, which is in each part
            // of a row and in the output.
            unsafe {
                let value = convolved(isa, filter, text, row, column);
                value.store(out.as_mut_ptr().add(column));
            }
        }
        for (column, out) in out.iter_mut().enumerate().skip(rest) {
            // SAFETY: `column` is one of the `width` of a part.
            *out = unsafe { convolved(Plain::<1>, filter, text, row, column) };
        }
    }
}

/// # Safety
/// The row is one of the text, and its parts have a vector at `column`.
#[inline(always)]
unsafe fn convolved<I: Isa>(
    isa: I,
    filter: &Filter<'_>,
    text: &[f32],
    row: usize,
    column: usize,
) -> I::Vector {
    let width = filter.width;
    let length = text.len() / (3 * width);
    // SAFETY: the caller passes a column with a vector, and only rows of the text
    // are read; the taps and the bias have `width` columns.
    unsafe {
        let mut sum = if filter.bias.is_empty() {
            isa.splat(0.)
        } else {
            load(isa, filter.bias, column)
        };
        for tap in 0..filter.weights.len() / width {
            // Rows before the text wrap to large numbers.
            let source = (row + tap).wrapping_sub(filter.before);
            if source < length {
                let at = source * 3 * width + column;
                let product = load(isa, text, at).mul(load(isa, text, at + 2 * width));
                let weight = load(isa, filter.weights, tap * width + column);
                sum = product.mul_add(weight, sum);
            }
        }
        sum.mul(load(isa, text, row * 3 * width + width + column))
    }
}

/// # Safety
/// `values` have a vector at `at`.
#[inline(always)]
unsafe fn load<I: Isa>(isa: I, values: &[f32], at: usize) -> I::Vector {
    debug_assert!(at + I::Vector::LANES <= values.len());
    // SAFETY: the caller passes the offset of a vector.
    unsafe { isa.load(values.as_ptr().add(at)) }
}

entry! {
    /// The convolution of some rows, see [`convolve_rows`].
    convolve_with, ConvolveRows<'a> = convolve_rows(
        filter: &'a Filter<'a>,
        text: &'a [f32],
        first: usize,
        out: &'a mut [f32],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Serial, ThreadPool};

    fn numbers(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|at| (at as f32 * step).sin()).collect()
    }

    fn expected(filter: &ShortConvolution<'_>, rows: &[f32], length: usize) -> Vec<f64> {
        let width = filter.width;
        let taps = filter.weights.len() / width;
        let part = |row: usize, part: usize, column: usize| {
            f64::from(rows[(row * 3 + part) * width + column])
        };
        let mut out = Vec::new();
        for row in 0..rows.len() / (3 * width) {
            for column in 0..width {
                let mut sum = filter.bias.map_or(0., |bias| f64::from(bias[column]));
                for tap in 0..taps {
                    let place = (row % length + tap) as i64 - filter.before as i64;
                    if (0..length as i64).contains(&place) {
                        let source = row - row % length + place as usize;
                        let weight = f64::from(filter.weights[column * taps + tap]);
                        sum += weight * part(source, 0, column) * part(source, 2, column);
                    }
                }
                out.push(sum * part(row, 1, column));
            }
        }
        out
    }

    #[test]
    fn matches_the_definition() {
        for (width, taps, before, length) in [
            (1, 1, 0, 1),
            (5, 3, 2, 7),
            (32, 3, 1, 1),
            (77, 4, 3, 20),
            (16, 5, 2, 3),
            (9, 2, 0, 6),
        ] {
            let rows = numbers(4 * length * 3 * width, 1.7);
            let weights = numbers(width * taps, 0.9);
            let bias = numbers(width, 0.3);
            for bias in [None, Some(bias.as_slice())] {
                let filter = ShortConvolution {
                    weights: &weights,
                    bias,
                    width,
                    before,
                };
                let expected = expected(&filter, &rows, length);
                let mut found = vec![f32::NAN; rows.len() / 3];
                filter.run(&rows, length, &mut found, &Serial);
                let check = |found: &[f32]| {
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!((f64::from(*found) - expected).abs() < 1e-5);
                    }
                };
                check(&found);
                let mut pool = ThreadPool::default();
                if pool.grow_to(3).is_ok() {
                    let mut shared = vec![f32::NAN; rows.len() / 3];
                    filter.run(&rows, length, &mut shared, &pool);
                    assert_eq!(found, shared, "{width} {taps} {before} {length}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        let (width, length) = (37, 6);
        let rows = numbers(length * 3 * width, 1.3);
        let weights = numbers(3 * width, 0.7);
        let filter = Filter {
            weights: &weights,
            bias: &[],
            width,
            before: 2,
        };
        let transposed = (0..width).flat_map(|column| [0, 1, 2].map(|tap| (tap, column)));
        let given: Vec<f32> = transposed
            .map(|(tap, column)| weights[tap * width + column])
            .collect();
        let expected = expected(
            &ShortConvolution {
                weights: &given,
                bias: None,
                width,
                before: 2,
            },
            &rows,
            length,
        );
        for set in InstructionSet::all() {
            let mut found = vec![f32::NAN; 4 * width];
            convolve_with(set, &filter, &rows, 2, &mut found);
            for (found, expected) in found.iter().zip(&expected[2 * width..]) {
                assert!((f64::from(*found) - expected).abs() < 1e-5);
            }
        }
    }
}
