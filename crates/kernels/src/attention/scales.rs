//! Scales of rows and columns.

use super::super::aligned::Aligned;
use super::super::isa::{MOST_LANES, Vector};
use super::load::Queries;

/// Scales of rows of whole vectors, with so many levels on either side of 0, and
/// one over them, both rounded up to whole vectors; what is returned is not a
/// number if any value is not finite.
#[inline(always)]
pub(super) fn load_scales<V: Vector>(
    rows: &Queries<'_>,
    [count, width]: [usize; 2],
    largest: f32,
    [scales, factors]: [&mut Aligned<f32>; 2],
) -> f32 {
    let stride = rows.stride;
    assert!(count == 0 || rows.rows.len() >= (count - 1) * stride + width);
    scales.resize(count.next_multiple_of(V::LANES), 0.);
    let mut peaks = [V::splat(0.); MOST_LANES];
    for (part, scales) in scales.chunks_exact_mut(V::LANES).enumerate() {
        let first = part * V::LANES;
        let peaks_of = &mut peaks[..V::LANES.min(count - first)];
        let row = rows.rows.as_ptr().wrapping_add(first * stride);
        // SAFETY: there are as many rows, of whole vectors, and a scale for each;
        // those beyond the last row are of any.
        unsafe {
            match (V::LANES, width / V::LANES) {
                // As most heads have them, without a loop.
                (16, 2) => row_peaks::<V>((row, stride), 2, peaks_of),
                (16, 4) => row_peaks::<V>((row, stride), 4, peaks_of),
                (_, vectors) => row_peaks::<V>((row, stride), vectors, peaks_of),
            }
            V::across(&peaks, V::magnitude).store(scales.as_mut_ptr());
        }
    }
    from_peaks::<V>(scales, largest, factors)
}

/// The largest magnitude in each lane of rows of so many vectors.
///
/// # Safety
/// There is a row for each, so far from the one before.
#[inline(always)]
unsafe fn row_peaks<V: Vector>(
    (mut row, stride): (*const f32, usize),
    vectors: usize,
    peaks: &mut [V],
) {
    for peak in peaks {
        *peak = V::splat(0.);
        for vector in 0..vectors {
            // SAFETY: the caller's.
            *peak = unsafe { V::load(row.add(vector * V::LANES)) }.magnitude(*peak);
        }
        row = row.wrapping_add(stride);
    }
}

/// Makes scales of the largest numbers, so that these become the largest level,
/// and one over them. All are whole vectors. What is returned is not a number
/// if any is not finite.
#[inline(always)]
pub(super) fn from_peaks<V: Vector>(
    scales: &mut [f32],
    largest: f32,
    factors: &mut Aligned<f32>,
) -> f32 {
    factors.resize(scales.len(), 0.);
    let mut odd = V::splat(0.);
    let scales = scales.chunks_exact_mut(V::LANES);
    for (scales, factors) in scales.zip(factors.chunks_exact_mut(V::LANES)) {
        // SAFETY: whole vectors.
        unsafe {
            let scale = V::load(scales.as_ptr()).div(V::splat(largest));
            odd = scale.mul_add(V::splat(0.), odd);
            // Nothing but zeros: any scale will do.
            let scale = scale.max(V::splat(f32::MIN_POSITIVE));
            scale.store(scales.as_mut_ptr());
            V::splat(1.).div(scale).store(factors.as_mut_ptr());
        }
    }
    odd.sum()
}
