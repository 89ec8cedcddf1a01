//! Vectors of 256 bits.

use std::arch::x86_64::*;

use super::super::{MAX_LANES, Vector};

/// Eight floats; made from the token alone.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(in super::super::super) struct F32x8(pub(super) __m256);

impl Vector for F32x8 {
    const LANES: usize = 8;

    instructions! {
        add(other) = _mm256_add_ps;
        sub(other) = _mm256_sub_ps;
        mul(other) = _mm256_mul_ps;
        div(other) = _mm256_div_ps;
        mul_add(factor, sum) = _mm256_fmadd_ps;
        max(other) = _mm256_max_ps;
        min(other) = _mm256_min_ps;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: vectors are made from a token of the instruction set; the
        // caller provides room for one.
        unsafe { _mm256_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    fn max_magnitude(self, maximum: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe {
            let bits = _mm256_andnot_ps(_mm256_set1_ps(-0.), self.0);
            let maximum = _mm256_castps_si256(maximum.0);
            _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(bits), maximum))
        })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(self.0), 23)) })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe {
            let (low, high) = (
                _mm256_castps256_ps128(self.0),
                _mm256_extractf128_ps(self.0, 1),
            );
            let half = _mm_add_ps(low, high);
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe {
            let (low, high) = (
                _mm256_castps256_ps128(self.0),
                _mm256_extractf128_ps(self.0, 1),
            );
            let half = _mm_max_ps(low, high);
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }

    #[inline(always)]
    fn reduce_rows(rows: &[Self; MAX_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let by = |one: __m256, other: __m256| by(Self(one), Self(other)).0;
        let (mut pairs, mut fours) = ([rows[0].0; 4], [rows[0].0; 2]);
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at].0, rows[2 * at + 1].0);
                *pair = by(
                    _mm256_unpacklo_ps(one, other),
                    _mm256_unpackhi_ps(one, other),
                );
            }
            for (at, four) in fours.iter_mut().enumerate() {
                let one = _mm256_castps_pd(pairs[2 * at]);
                let other = _mm256_castps_pd(pairs[2 * at + 1]);
                *four = by(
                    _mm256_castpd_ps(_mm256_unpacklo_pd(one, other)),
                    _mm256_castpd_ps(_mm256_unpackhi_pd(one, other)),
                );
            }
            let [one, other] = fours;
            Self(by(
                _mm256_permute2f128_ps::<0x20>(one, other),
                _mm256_permute2f128_ps::<0x31>(one, other),
            ))
        }
    }
}
