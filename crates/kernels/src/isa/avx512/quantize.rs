//! Quantization of keys and values to signed 8 bits, in the order of panels.

use std::arch::x86_64::*;

use super::super::{Isa, Strided};
use super::{Avx512Vnni, EVEN, ODD};

const COLUMNS: usize = Avx512Vnni::COLUMNS;
const GROUP: usize = Avx512Vnni::GROUP;
const LANES: usize = 16;

/// Rounds four vectors to bytes: those of the first four numbers of each vector,
/// one vector after the other, then of the next four.
#[inline(always)]
fn pack(_: Avx512Vnni, vectors: [__m512; 4]) -> __m512i {
    // SAFETY: the token proves the instructions.
    unsafe {
        let [a, b, c, d] = vectors;
        let one = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
        let other = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
        _mm512_packs_epi16(one, other)
    }
}

/// # Safety
/// That of [`Isa::quantize_keys`].
#[inline(always)]
pub(super) unsafe fn keys(
    isa: Avx512Vnni,
    rows: Strided<*const f32>,
    factors: &[f32],
    panel: &mut [i8],
) {
    let width = panel.len() / COLUMNS;
    assert!(panel.len() == COLUMNS * width && width.is_multiple_of(LANES));
    assert!(factors.len() <= COLUMNS);
    let (factor, stride) = (factors.as_ptr(), rows.stride);
    for first in (0..factors.len()).step_by(4 * 4) {
        let count = factors.len() - first;
        for column in (0..width).step_by(LANES) {
            // SAFETY: the token proves the instructions; the caller provides a row
            // for each factor, and the panel has room for `COLUMNS` keys.
            unsafe {
                // Each lane of 128 bits is a group of four keys.
                let mut fours = [_mm512_setzero_si512(); 4];
                for (at, four) in fours.iter_mut().enumerate() {
                    let key = first + 4 * at;
                    let (row, factor) = (rows.first.add(key * stride + column), factor.add(key));
                    let load = |key: usize| {
                        let values = _mm512_loadu_ps(row.add(key * stride));
                        _mm512_mul_ps(values, _mm512_set1_ps(*factor.add(key)))
                    };
                    *four = match count.saturating_sub(4 * at) {
                        0 => break,
                        // The last key fills the places of those that are missing.
                        1 => pack(isa, [load(0); 4]),
                        2 => pack(isa, [load(0), load(1), load(1), load(1)]),
                        3 => pack(isa, [load(0), load(1), load(2), load(2)]),
                        _ => pack(isa, [load(0), load(1), load(2), load(3)]),
                    };
                }
                for (group, keys) in transpose(isa, fours).into_iter().enumerate() {
                    let group = column / GROUP + group;
                    let at = (group * COLUMNS + first) * GROUP;
                    _mm512_storeu_si512(panel.as_mut_ptr().add(at).cast(), keys);
                }
            }
        }
    }
}

/// Transposes lanes of 128 bits: the first ones of each vector, the second ones,
/// and so on.
#[inline(always)]
fn transpose(_: Avx512Vnni, rows: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the token proves the instructions.
    unsafe {
        let [a, b, c, d] = rows;
        let even = [
            _mm512_shuffle_i32x4::<EVEN>(a, b),
            _mm512_shuffle_i32x4::<EVEN>(c, d),
        ];
        let odd = [
            _mm512_shuffle_i32x4::<ODD>(a, b),
            _mm512_shuffle_i32x4::<ODD>(c, d),
        ];
        [
            _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]),
            _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]),
            _mm512_shuffle_i32x4::<ODD>(even[0], even[1]),
            _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]),
        ]
    }
}

/// # Safety
/// That of [`Isa::quantize_values`].
#[inline(always)]
pub(super) unsafe fn values(
    isa: Avx512Vnni,
    rows: Strided<*const f32>,
    count: usize,
    factors: &[f32],
    panel: &mut [i8],
) {
    assert!(factors.len() == COLUMNS && panel.len() >= count.next_multiple_of(GROUP) * COLUMNS);
    // SAFETY: the token proves the instructions; the caller provides `count` rows,
    // and the panel has room for all groups.
    unsafe {
        // Transposes within a lane.
        let columns = _mm512_broadcast_i32x4(_mm_setr_epi8(
            0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
        ));
        let factors = [0, LANES].map(|column| _mm512_loadu_ps(factors.as_ptr().add(column)));
        let mut to = panel.as_mut_ptr();
        for first in (0..count).step_by(GROUP) {
            for (half, factors) in factors.into_iter().enumerate() {
                let row = rows.first.add(first * rows.stride + half * LANES);
                let load =
                    |at: usize| _mm512_mul_ps(_mm512_loadu_ps(row.add(at * rows.stride)), factors);
                let none = _mm512_setzero_ps();
                let vectors = match count - first {
                    1 => [load(0), none, none, none],
                    2 => [load(0), load(1), none, none],
                    3 => [load(0), load(1), load(2), none],
                    _ => [load(0), load(1), load(2), load(3)],
                };
                let quantized = _mm512_shuffle_epi8(pack(isa, vectors), columns);
                _mm512_storeu_si512(to.add(half * LANES * GROUP).cast(), quantized);
            }
            to = to.add(GROUP * COLUMNS);
        }
    }
}
