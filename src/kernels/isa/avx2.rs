//! AVX2 with fused multiply-add: 256 bits.

use std::arch::x86_64::*;

use super::{Isa, by_rows};

pub(super) struct Avx2;

impl Isa for Avx2 {
    // The instruction that multiplies 8 bits adds pairs in 16 and saturates;
    // that of 16 bits is exact and as fast.
    type Level = i16;
    type Weight = i16;
    const GROUP: usize = 2;
    const ROWS: usize = 6;
    const COLUMNS: usize = 16;
    const LARGEST: f32 = 255.;
    const CENTRED: bool = true;

    #[inline(always)]
    fn multiply_add(left: f32, right: f32, sum: f32) -> f32 {
        left.mul_add(right, sum)
    }

    #[inline(always)]
    fn level(level: i32, zero: i32) -> i16 {
        (level - zero) as i16
    }

    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], scratch: &'a mut Vec<i16>) -> &'a [i16] {
        scratch.clear();
        scratch.extend(panel.iter().map(|&weight| i16::from(weight)));
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
