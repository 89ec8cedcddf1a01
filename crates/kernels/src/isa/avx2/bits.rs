//! Rows of bits without AVX-VNNI: each is a byte of 0 or 1, so that the sums of many
//! products fit into 16 bits, where they stay in registers.

use std::arch::x86_64::*;

use super::super::Strided;
use super::tiles::COLUMNS;

/// Most rows of a tile.
pub(super) const ROWS: usize = 6;
/// Groups whose products are summed in 16 bits: two weights of each in a lane.
pub(super) const GROUPS: usize = i16::MAX as usize / (2 * 127);

/// Adds products to the sums, which the `first` groups overwrite.
///
/// # Safety
/// That of [`Isa::multiply_bits`](super::Isa::multiply_bits); the rows are `COUNT`, and
/// the groups at most [`GROUPS`].
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn bits<const COUNT: usize>(
    rows: Strided<*const u8>,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
    place: Place,
) {
    let mut tile = [[_mm256_setzero_si256(); 2]; COUNT];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 4 * COLUMNS).cast::<__m256i>();
            let (left, right) = (_mm256_loadu_si256(pair), _mm256_loadu_si256(pair.add(1)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 4 * group).cast::<i32>();
                let factor = _mm256_set1_epi32(at.read_unaligned());
                tile[0] = _mm256_add_epi16(tile[0], _mm256_maddubs_epi16(factor, left));
                tile[1] = _mm256_add_epi16(tile[1], _mm256_maddubs_epi16(factor, right));
            }
        }
        let ones = _mm256_set1_epi16(1);
        for (row, tile) in tile.iter().enumerate() {
            let to = sums.add(row * COLUMNS).cast::<__m256i>();
            for (vector, narrow) in tile.iter().enumerate() {
                let mut wide = _mm256_madd_epi16(*narrow, ones);
                if let Place::Added = place {
                    wide = _mm256_add_epi32(wide, _mm256_loadu_si256(to.add(vector)));
                }
                _mm256_storeu_si256(to.add(vector), wide);
            }
        }
    }
}

/// What becomes of sums.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Overwritten,
    Added,
}

/// See [`Isa::spread`](super::Isa::spread).
#[inline]
#[target_feature(enable = "avx2")]
pub(in super::super) fn spread(bits: [u8; 4], to: &mut [u8; 32]) {
    // Each byte eight times, of which each keeps another bit.
    let bytes = _mm256_setr_epi64x(
        0,
        0x0101_0101_0101_0101,
        0x0202_0202_0202_0202,
        0x0303_0303_0303_0303,
    );
    let each = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let four = _mm256_set1_epi32(i32::from_le_bytes(bits));
    let kept = _mm256_and_si256(_mm256_shuffle_epi8(four, bytes), each);
    let found = _mm256_min_epu8(kept, _mm256_set1_epi8(1));
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), found) };
}
