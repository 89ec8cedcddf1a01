//! Vectors of 512 bits.

use std::arch::x86_64::*;

use super::super::{MAX_LANES, Vector};
use super::{EVEN, ODD};

/// Sixteen floats; made from the token alone.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(in super::super::super) struct F32x16(pub(super) __m512);

impl Vector for F32x16 {
    const LANES: usize = 16;

    instructions! {
        add(other) = _mm512_add_ps;
        sub(other) = _mm512_sub_ps;
        mul(other) = _mm512_mul_ps;
        div(other) = _mm512_div_ps;
        mul_add(factor, sum) = _mm512_fmadd_ps;
        max(other) = _mm512_max_ps;
        min(other) = _mm512_min_ps;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: vectors are made from a token of the instruction set; the
        // caller provides room for one.
        unsafe { _mm512_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    fn max_magnitude(self, maximum: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe {
            let bits = _mm512_castps_si512(_mm512_abs_ps(self.0));
            _mm512_castsi512_ps(_mm512_max_epi32(bits, _mm512_castps_si512(maximum.0)))
        })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(self.0), 23)) })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    fn reduce_rows(rows: &[Self; MAX_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let by = |one: __m512, other: __m512| by(Self(one), Self(other)).0;
        let (mut pairs, mut fours, mut eights) = ([rows[0].0; 8], [rows[0].0; 4], [rows[0].0; 2]);
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at].0, rows[2 * at + 1].0);
                *pair = by(
                    _mm512_unpacklo_ps(one, other),
                    _mm512_unpackhi_ps(one, other),
                );
            }
            for (at, four) in fours.iter_mut().enumerate() {
                let one = _mm512_castps_pd(pairs[2 * at]);
                let other = _mm512_castps_pd(pairs[2 * at + 1]);
                *four = by(
                    _mm512_castpd_ps(_mm512_unpacklo_pd(one, other)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(one, other)),
                );
            }
            for (at, eight) in eights.iter_mut().enumerate() {
                let (one, other) = (fours[2 * at], fours[2 * at + 1]);
                *eight = by(
                    _mm512_shuffle_f32x4::<EVEN>(one, other),
                    _mm512_shuffle_f32x4::<ODD>(one, other),
                );
            }
            let [one, other] = eights;
            Self(by(
                _mm512_shuffle_f32x4::<EVEN>(one, other),
                _mm512_shuffle_f32x4::<ODD>(one, other),
            ))
        }
    }
}
