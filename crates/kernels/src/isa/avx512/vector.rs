//! Vectors of 512 bits.

use std::arch::x86_64::*;

use super::super::{MOST_LANES, Vector};
use super::{EVEN, ODD};

impl Vector for __m512 {
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(at, self) }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let zeros = _mm512_mullo_epi32(_mm512_set1_epi32(zero), _mm512_loadu_epi32(others));
            _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_epi32(at), zeros))
        }
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_epi32(at)) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_div_ps(self, other) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_max_ps(self, other) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_min_ps(self, other) }
    }

    #[inline(always)]
    fn magnitude(self, before: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe {
            let bits = _mm512_castps_si512(_mm512_abs_ps(self));
            _mm512_castsi512_ps(_mm512_max_epi32(bits, _mm512_castps_si512(before)))
        }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(self), 23)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe { _mm512_reduce_max_ps(self) }
    }

    #[inline(always)]
    fn across(rows: &[Self; MOST_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let (mut pairs, mut fours, mut eights) = ([rows[0]; 8], [rows[0]; 4], [rows[0]; 2]);
        // SAFETY: the instruction set is there.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at], rows[2 * at + 1]);
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
            by(
                _mm512_shuffle_f32x4::<EVEN>(one, other),
                _mm512_shuffle_f32x4::<ODD>(one, other),
            )
        }
    }
}
