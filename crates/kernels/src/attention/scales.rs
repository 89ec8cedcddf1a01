//! Quantization scales of rows and columns.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, MAX_LANES, Strided, Vector};
use super::rows::{Shape, StridedRows};

/// Where scales and their inverses are written, padded to whole vectors.
pub(super) struct ScaleBuffers<'a> {
    pub(super) scales: &'a mut Aligned<f32>,
    pub(super) inverses: &'a mut Aligned<f32>,
}

/// Computes symmetric scales of rows, for quantized values in
/// `-largest..=largest`. Returns NaN if a value is not finite. Rows are whole
/// vectors.
#[inline(always)]
pub(super) fn row_scales<I: Isa>(
    isa: I,
    rows: &StridedRows<'_>,
    shape: Shape,
    largest: f32,
    to: ScaleBuffers<'_>,
) -> f32 {
    let (count, width, stride) = (shape.rows, shape.columns, rows.stride);
    let ScaleBuffers { scales, inverses } = to;
    assert!(count == 0 || rows.data.len() >= (count - 1) * stride + width);
    scales.resize(count.next_multiple_of(I::Vector::LANES), 0.);
    let mut magnitudes = [isa.splat(0.); MAX_LANES];
    for (part, scales) in scales.chunks_exact_mut(I::Vector::LANES).enumerate() {
        let first = part * I::Vector::LANES;
        let of_rows = &mut magnitudes[..I::Vector::LANES.min(count - first)];
        let row = Strided {
            first: rows.data.as_ptr().wrapping_add(first * stride),
            stride,
        };
        // SAFETY: the assertion above leaves `count` rows of `width` values, and
        // `of_rows` ends with the last of them. `scales` has a vector; what it gets
        // behind the last row is never read.
        unsafe {
            match (I::Vector::LANES, width / I::Vector::LANES) {
                // Unrolled for the most common widths of heads.
                (16, 2) => row_magnitudes(isa, row, 2, of_rows),
                (16, 4) => row_magnitudes(isa, row, 4, of_rows),
                (_, vectors) => row_magnitudes(isa, row, vectors, of_rows),
            }
            I::Vector::reduce_rows(&magnitudes, I::Vector::max_magnitude)
                .store(scales.as_mut_ptr());
        }
    }
    scales_of_magnitudes(isa, scales, largest, inverses)
}

/// The largest magnitude in each lane of rows of `vectors` vectors.
///
/// # Safety
/// There is a row for each of `magnitudes`.
#[inline(always)]
unsafe fn row_magnitudes<I: Isa>(
    isa: I,
    row: Strided<*const f32>,
    vectors: usize,
    magnitudes: &mut [I::Vector],
) {
    let mut first = row.first;
    for magnitude in magnitudes {
        *magnitude = isa.splat(0.);
        for vector in 0..vectors {
            // SAFETY: the caller has a row of `vectors` vectors for each magnitude.
            *magnitude =
                unsafe { isa.load(first.add(vector * I::Vector::LANES)) }.max_magnitude(*magnitude);
        }
        first = first.wrapping_add(row.stride);
    }
}

/// Turns the largest magnitudes into scales that quantize them to `largest`, and
/// computes the inverses. Scales are whole vectors. Returns NaN if a magnitude is
/// not finite.
#[inline(always)]
pub(super) fn scales_of_magnitudes<I: Isa>(
    isa: I,
    scales: &mut [f32],
    largest: f32,
    inverses: &mut Aligned<f32>,
) -> f32 {
    inverses.resize(scales.len(), 0.);
    let mut nan = isa.splat(0.);
    let scales = scales.chunks_exact_mut(I::Vector::LANES);
    for (scales, inverses) in scales.zip(inverses.chunks_exact_mut(I::Vector::LANES)) {
        // SAFETY: both chunks have `LANES` values.
        unsafe {
            let scale = isa.load(scales.as_ptr()).div(isa.splat(largest));
            nan = scale.mul_add(isa.splat(0.), nan);
            // All values are 0, whatever the scale.
            let scale = scale.max(isa.splat(f32::MIN_POSITIVE));
            scale.store(scales.as_mut_ptr());
            isa.splat(1.).div(scale).store(inverses.as_mut_ptr());
        }
    }
    nan.sum()
}
