//! Quantization of keys and values to signed 8 bits, in the order of panels.

use std::arch::x86_64::*;

use super::super::Strided;
use super::Avx2;
use super::tiles::COLUMNS;

/// Rows of weights in a group.
const GROUP: usize = 4;
const LANES: usize = 8;

/// Rounds four vectors to bytes: those of the first four numbers of each vector,
/// one vector after the other, then of the last four.
#[inline(always)]
fn pack<const VNNI: bool>(_: Avx2<VNNI>, vectors: [__m256; 4]) -> __m256i {
    // SAFETY: the token proves the instructions.
    unsafe {
        let [a, b, c, d] = vectors;
        let one = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
        let other = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
        _mm256_packs_epi16(one, other)
    }
}

/// # Safety
/// That of [`Isa::quantize_keys`](super::Isa::quantize_keys).
#[inline(always)]
pub(super) unsafe fn keys<const VNNI: bool>(
    isa: Avx2<VNNI>,
    rows: Strided<*const f32>,
    factors: &[f32],
    panel: &mut [i8],
) {
    let width = panel.len() / COLUMNS;
    assert!(panel.len() == COLUMNS * width && width.is_multiple_of(LANES));
    assert!(factors.len() <= COLUMNS);
    for first in (0..factors.len()).step_by(4) {
        // The last key fills the places of those that are missing.
        let keys = [0, 1, 2, 3].map(|at| (first + at).min(factors.len() - 1));
        let factors = keys.map(|key| factors[key]);
        let mut to = panel.as_mut_ptr().wrapping_add(first * GROUP);
        for column in (0..width).step_by(LANES) {
            // SAFETY: the token proves the instructions; the caller provides a row
            // for each factor, and the panel has room for `COLUMNS` keys.
            unsafe {
                let mut vectors = [_mm256_setzero_ps(); 4];
                for at in 0..4 {
                    let values = _mm256_loadu_ps(rows.first.add(keys[at] * rows.stride + column));
                    vectors[at] = _mm256_mul_ps(values, _mm256_set1_ps(factors[at]));
                }
                // Each lane of 128 bits is a group of four keys.
                let groups = pack(isa, vectors);
                _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(groups));
                to = to.add(GROUP * COLUMNS);
                _mm_storeu_si128(to.cast(), _mm256_extracti128_si256(groups, 1));
                to = to.wrapping_add(GROUP * COLUMNS);
            }
        }
    }
}

/// # Safety
/// That of [`Isa::quantize_values`](super::Isa::quantize_values).
#[inline(always)]
pub(super) unsafe fn values<const VNNI: bool>(
    isa: Avx2<VNNI>,
    rows: Strided<*const f32>,
    count: usize,
    factors: &[f32],
    panel: &mut [i8],
) {
    assert!(factors.len() == COLUMNS && panel.len() >= count.next_multiple_of(GROUP) * COLUMNS);
    // SAFETY: the token proves the instructions; the caller provides `count` rows,
    // and the panel has room for all groups.
    unsafe {
        // Transposes within a lane of 128 bits.
        let columns = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
        ));
        let factors = [0, LANES].map(|column| _mm256_loadu_ps(factors.as_ptr().add(column)));
        let mut to = panel.as_mut_ptr();
        for first in (0..count).step_by(GROUP) {
            for (half, factors) in factors.into_iter().enumerate() {
                let row = rows.first.add(first * rows.stride + half * LANES);
                let load =
                    |at: usize| _mm256_mul_ps(_mm256_loadu_ps(row.add(at * rows.stride)), factors);
                let none = _mm256_setzero_ps();
                let vectors = match count - first {
                    1 => [load(0), none, none, none],
                    2 => [load(0), load(1), none, none],
                    3 => [load(0), load(1), load(2), none],
                    _ => [load(0), load(1), load(2), load(3)],
                };
                let quantized = _mm256_shuffle_epi8(pack(isa, vectors), columns);
                _mm256_storeu_si256(to.cast(), quantized);
                to = to.wrapping_add(LANES * GROUP);
            }
        }
    }
}
