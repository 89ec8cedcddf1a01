//! AVX2 with fused multiply-add: 256 bits.

use std::arch::x86_64::*;

use super::token::{Isa, Kernel, Strided};
use super::{MAX_LANES, Vector};

/// Proof that the machine has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

/// Eight floats; made from the token alone.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(in super::super) struct F32x8(__m256);

// SAFETY: `detect` alone makes the token.
unsafe impl Isa for Avx2 {
    type Vector = F32x8;
    // The instruction that multiplies 8 bits saturates sums of pairs in 16 bits;
    // that of 16 bits is exact and as fast.
    type Quantized = i16;
    type Weight = i16;
    const GROUP: usize = 2;
    const ROWS: usize = 6;
    const COLUMNS: usize = 16;
    const ONE: i16 = 1;
    const MAX_QUANTIZED: f32 = 255.;
    const CENTRED: bool = true;

    fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        is_there.then_some(Self(()))
    }

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma")]
        fn run<K: Kernel>(isa: Avx2, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32x8 {
        // SAFETY: `self` proves the instructions.
        F32x8(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> F32x8 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x8(unsafe { _mm256_loadu_ps(at) })
    }

    #[inline(always)]
    unsafe fn load_integers(self, at: *const i32) -> F32x8 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x8(unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(at.cast())) })
    }

    #[inline(always)]
    unsafe fn load_integers_less(self, at: *const i32, zero: i32, others: *const i32) -> F32x8 {
        // SAFETY: `self` proves the instructions; the caller provides a vector at
        // both.
        F32x8(unsafe {
            let others = _mm256_loadu_si256(others.cast());
            let zeros = _mm256_mullo_epi32(_mm256_set1_epi32(zero), others);
            _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256(at.cast()), zeros))
        })
    }

    #[inline(always)]
    unsafe fn quantize(self, values: F32x8, zero: i32, at: *mut i16) {
        // SAFETY: `self` proves the instructions; the caller provides room for a
        // vector.
        unsafe {
            let least = _mm256_set1_epi32(-zero);
            let largest = _mm256_set1_epi32(Self::MAX_QUANTIZED as i32 - zero);
            let quantized = _mm256_max_epi32(_mm256_cvtps_epi32(values.0), least);
            let quantized = _mm256_min_epi32(quantized, largest);
            let high = _mm256_extracti128_si256(quantized, 1);
            let quantized = _mm_packs_epi32(_mm256_castsi256_si128(quantized), high);
            _mm_storeu_si128(at.cast(), quantized);
        }
    }

    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], scratch: &'a mut Vec<i16>) -> &'a [i16] {
        scratch.resize(panel.len(), 0);
        for (place, weight) in scratch.iter_mut().zip(panel) {
            *place = i16::from(*weight);
        }
        scratch
    }

    #[inline(always)]
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const i16>,
        weights: *const i16,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe { by_rows!(count, integers(rows, weights, groups, sums), 1 2 3 4 5 6) }
    }

    #[inline(always)]
    unsafe fn multiply_floats(
        self,
        count: usize,
        rows: Strided<*const f32>,
        panel: *const f32,
        depth: usize,
        sums: Strided<*mut f32>,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe { by_rows!(count, floats(rows, panel, depth, sums), 1 2 3 4 5 6) }
    }

    #[inline(always)]
    fn prefetch_read(at: *const f32) {
        // SAFETY: a hint, which any address may be given to.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    fn prefetch_write(at: *const f32) {
        // SAFETY: a hint, which any address may be given to.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
}

/// # Safety
/// That of [`Isa::multiply_integers`]; the rows are `ROWS`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn integers<const ROWS: usize>(
    rows: Strided<*const i16>,
    weights: *const i16,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm256_setzero_si256(); 2]; ROWS];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 32).cast::<__m256i>();
            let (left, right) = (_mm256_loadu_si256(pair), _mm256_loadu_si256(pair.add(1)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 2 * group).cast::<i32>();
                let factor = _mm256_set1_epi32(at.read_unaligned());
                tile[0] = _mm256_add_epi32(tile[0], _mm256_madd_epi16(factor, left));
                tile[1] = _mm256_add_epi32(tile[1], _mm256_madd_epi16(factor, right));
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * 16).cast::<__m256i>();
            _mm256_storeu_si256(at, tile[0]);
            _mm256_storeu_si256(at.add(1), tile[1]);
        }
    }
}

/// # Safety
/// That of [`Isa::multiply_floats`]; the rows are `ROWS`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn floats<const ROWS: usize>(
    rows: Strided<*const f32>,
    panel: *const f32,
    depth: usize,
    sums: Strided<*mut f32>,
) {
    let mut tile = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller provides all rows and columns to that depth.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 16);
            let (first, second) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = _mm256_set1_ps(*rows.first.add(row * rows.stride + step));
                tile[0] = _mm256_fmadd_ps(factor, first, tile[0]);
                tile[1] = _mm256_fmadd_ps(factor, second, tile[1]);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.first.add(row * sums.stride);
            _mm256_storeu_ps(at, tile[0]);
            _mm256_storeu_ps(at.add(8), tile[1]);
        }
    }
}

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
