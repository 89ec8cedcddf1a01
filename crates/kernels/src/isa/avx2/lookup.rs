//! Sums that are looked up.

use std::arch::x86_64::*;

use super::super::token::MAX_LOOKUPS;

/// Rows of documents in a vector.
pub(super) const ROWS: usize = 32;

/// # Safety
/// That of [`Isa::look_up`](super::Isa::look_up); the vectors are `VECTORS`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn largest<const VECTORS: usize>(
    places: *const u8,
    tables: *const u8,
    count: usize,
    most: *mut u16,
) {
    let (places, tables) = (places.cast::<__m256i>(), tables.cast::<__m128i>());
    let mut sums = [[_mm256_setzero_si256(); 2]; VECTORS];
    // The high bits of a sum are worth 16 of the low ones.
    let worth = _mm256_set1_epi16(i16::from_le_bytes([1, 16]));
    // SAFETY: the caller provides all tables and places, and a vector of maxima.
    unsafe {
        for first in (0..count).step_by(MAX_LOOKUPS) {
            let mut narrow = [[_mm256_setzero_si256(); 2]; VECTORS];
            for at in first..(first + MAX_LOOKUPS).min(count) {
                let table = [0, 1].map(|part| {
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(tables.add(2 * at + part)))
                });
                for (vector, narrow) in narrow.iter_mut().enumerate() {
                    let places = _mm256_loadu_si256(places.add(at * VECTORS + vector));
                    for (sum, table) in narrow.iter_mut().zip(table) {
                        *sum = _mm256_add_epi8(*sum, _mm256_shuffle_epi8(table, places));
                    }
                }
            }
            for (sums, [low, high]) in sums.iter_mut().zip(narrow) {
                let pairs = [
                    _mm256_unpacklo_epi8(low, high),
                    _mm256_unpackhi_epi8(low, high),
                ];
                for (sum, pairs) in sums.iter_mut().zip(pairs) {
                    *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(pairs, worth));
                }
            }
        }
        let to = most.cast::<__m256i>();
        let all = sums.into_iter().flatten();
        let largest = all.fold(_mm256_loadu_si256(to), |most, sums| {
            _mm256_max_epu16(most, sums)
        });
        _mm256_storeu_si256(to, largest);
    }
}
