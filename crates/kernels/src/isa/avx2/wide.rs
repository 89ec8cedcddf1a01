//! Products of 16 bits, whose pairs add up in 32: exact for signed integers of 8
//! bits, which are widened before.

use std::arch::x86_64::*;

use super::Strided;
use super::tiles::COLUMNS;

/// Most rows of a tile.
pub(super) const ROWS: usize = 6;

/// # Safety
/// That of [`Isa::multiply_wide`](super::Isa::multiply_wide); the rows are `COUNT`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn wide<const COUNT: usize>(
    rows: Strided<*const i16>,
    weights: *const i16,
    pairs: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm256_setzero_si256(); 2]; COUNT];
    // SAFETY: the caller provides all pairs, rows and columns.
    unsafe {
        for pair in 0..pairs {
            let at = weights.add(pair * 2 * COLUMNS).cast::<__m256i>();
            let (left, right) = (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 2 * pair).cast::<i32>();
                let factor = _mm256_set1_epi32(at.read_unaligned());
                tile[0] = _mm256_add_epi32(tile[0], _mm256_madd_epi16(factor, left));
                tile[1] = _mm256_add_epi32(tile[1], _mm256_madd_epi16(factor, right));
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * COLUMNS).cast::<__m256i>();
            _mm256_storeu_si256(at, tile[0]);
            _mm256_storeu_si256(at.add(1), tile[1]);
        }
    }
}
