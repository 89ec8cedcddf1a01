//! AVX2 with fused multiply-add: 256 bits.

use std::arch::x86_64::*;

use super::{Isa, MOST_LANES, Vector, by_rows};

pub(super) struct Avx2;

impl Isa for Avx2 {
    type Vector = __m256;
    // The instruction that multiplies 8 bits adds pairs in 16 and saturates;
    // that of 16 bits is exact and as fast.
    type Level = i16;
    type Weight = i16;
    const GROUP: usize = 2;
    const ROWS: usize = 6;
    const COLUMNS: usize = 16;
    const ONE: Self::Level = 1;
    const LARGEST: f32 = 255.;
    const CENTRED: bool = true;

    #[inline(always)]
    unsafe fn levels(values: __m256, zero: i32, at: *mut i16) {
        // SAFETY: the caller's.
        unsafe {
            let least = _mm256_set1_epi32(-zero);
            let largest = _mm256_set1_epi32(Self::LARGEST as i32 - zero);
            let levels = _mm256_max_epi32(_mm256_cvtps_epi32(values), least);
            let levels = _mm256_min_epi32(levels, largest);
            let high = _mm256_extracti128_si256(levels, 1);
            let levels = _mm_packs_epi32(_mm256_castsi256_si128(levels), high);
            _mm_storeu_si128(at.cast(), levels);
        }
    }

    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], scratch: &'a mut Vec<i16>) -> &'a [i16] {
        scratch.resize(panel.len(), 0);
        for (place, weight) in scratch.iter_mut().zip(panel) {
            *place = i16::from(*weight);
        }
        scratch
    }

    #[inline(always)]
    unsafe fn integers(
        rows: usize,
        levels: *const i16,
        stride: usize,
        weights: *const i16,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe { by_rows!(rows, integers(levels, stride, weights, groups, sums), 1 2 3 4 5 6) }
    }

    #[inline(always)]
    fn expect_read(at: *const f32) {
        // SAFETY: a hint, which touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    fn expect_write(at: *const f32) {
        // SAFETY: a hint, which touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn floats(
        rows: usize,
        left: *const f32,
        stride: usize,
        panel: *const f32,
        depth: usize,
        sums: *mut f32,
        sums_stride: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            by_rows!(rows, floats(left, stride, panel, depth, sums, sums_stride), 1 2 3 4 5 6)
        }
    }
}

/// # Safety
/// That of [`Isa::integers`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn integers<const ROWS: usize>(
    levels: *const i16,
    stride: usize,
    weights: *const i16,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm256_setzero_si256(); 2]; ROWS];
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 32).cast::<__m256i>();
            let (left, right) = (_mm256_loadu_si256(pair), _mm256_loadu_si256(pair.add(1)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = levels.add(row * stride + 2 * group).cast::<i32>();
                let level = _mm256_set1_epi32(at.read_unaligned());
                tile[0] = _mm256_add_epi32(tile[0], _mm256_madd_epi16(level, left));
                tile[1] = _mm256_add_epi32(tile[1], _mm256_madd_epi16(level, right));
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
/// That of [`Isa::floats`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn floats<const ROWS: usize>(
    left: *const f32,
    stride: usize,
    panel: *const f32,
    depth: usize,
    sums: *mut f32,
    sums_stride: usize,
) {
    let mut tile = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller's slices hold all of the depth, rows and columns.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 16);
            let (first, second) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = _mm256_set1_ps(*left.add(row * stride + step));
                tile[0] = _mm256_fmadd_ps(factor, first, tile[0]);
                tile[1] = _mm256_fmadd_ps(factor, second, tile[1]);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * sums_stride);
            _mm256_storeu_ps(at, tile[0]);
            _mm256_storeu_ps(at.add(8), tile[1]);
        }
    }
}

impl Vector for __m256 {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(at, self) }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let others = _mm256_loadu_si256(others.cast());
            let zeros = _mm256_mullo_epi32(_mm256_set1_epi32(zero), others);
            _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256(at.cast()), zeros))
        }
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(at.cast())) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_sub_ps(self, other) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_mul_ps(self, other) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_div_ps(self, other) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_max_ps(self, other) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_min_ps(self, other) }
    }

    #[inline(always)]
    fn magnitude(self, before: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe {
            let bits = _mm256_andnot_ps(_mm256_set1_ps(-0.), self);
            let before = _mm256_castps_si256(before);
            _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(bits), before))
        }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(self), 23)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps(self, 1));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps(self, 1));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }

    #[inline(always)]
    fn across(rows: &[Self; MOST_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let (mut pairs, mut fours) = ([rows[0]; 4], [rows[0]; 2]);
        // SAFETY: the instruction set is there.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at], rows[2 * at + 1]);
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
            by(
                _mm256_permute2f128_ps::<0x20>(one, other),
                _mm256_permute2f128_ps::<0x31>(one, other),
            )
        }
    }
}
