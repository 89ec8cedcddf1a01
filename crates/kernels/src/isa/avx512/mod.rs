//! AVX-512 with VNNI: 512 bits, and products of 8 bits that add up in 32.

mod quantize;
mod vector;

use std::arch::x86_64::*;

use super::{Isa, by_rows};

pub(super) struct Avx512Vnni;

/// The lanes of 128 bits with these places in each of two vectors.
const EVEN: i32 = 0b10_00_10_00;
const ODD: i32 = 0b11_01_11_01;

impl Isa for Avx512Vnni {
    type Vector = __m512;
    type Level = u8;
    type Weight = i8;
    const GROUP: usize = 4;
    const ROWS: usize = 12;
    const COLUMNS: usize = 32;
    const ONE: Self::Level = 1;
    const LARGEST: f32 = 255.;
    const CENTRED: bool = false;

    #[inline(always)]
    unsafe fn levels(values: __m512, zero: i32, at: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            let levels = _mm512_add_epi32(_mm512_cvtps_epi32(values), _mm512_set1_epi32(zero));
            let levels = _mm512_max_epi32(levels, _mm512_setzero_si512());
            _mm_storeu_si128(at.cast(), _mm512_cvtusepi32_epi8(levels));
        }
    }

    #[inline(always)]
    unsafe fn four_levels(values: [__m512; 4], zero: i32, at: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            let zero = _mm512_set1_epi32(zero);
            let [a, b, c, d] = values.map(|one| _mm512_add_epi32(_mm512_cvtps_epi32(one), zero));
            // What is beyond 8 bits becomes the least or the largest.
            let bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            // Four of a vector, and of each, come after the other.
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_storeu_si512(at.cast(), _mm512_permutexvar_epi32(order, bytes));
        }
    }

    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    unsafe fn integers(
        rows: usize,
        levels: *const u8,
        stride: usize,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe {
            by_rows!(rows, integers(levels, stride, weights, groups, sums),
                1 2 3 4 5 6 7 8 9 10 11 12)
        }
    }

    #[inline(always)]
    unsafe fn key_levels(
        rows: (*const f32, usize),
        factors: &[f32],
        width: usize,
        panel: &mut [i8],
        _: &mut [i8],
    ) {
        // SAFETY: the caller's.
        unsafe { quantize::keys(rows, factors, width, panel) }
    }

    #[inline(always)]
    unsafe fn value_levels(
        rows: (*const f32, usize),
        count: usize,
        factors: &[f32],
        panel: &mut [i8],
    ) {
        // SAFETY: the caller's.
        unsafe { quantize::values(rows, count, factors, panel) }
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
            by_rows!(rows, floats(left, stride, panel, depth, sums, sums_stride),
                1 2 3 4 5 6 7 8 9 10 11 12)
        }
    }
}

/// # Safety
/// That of [`Isa::integers`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integers<const ROWS: usize>(
    levels: *const u8,
    stride: usize,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm512_setzero_si512(); 2]; ROWS];
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 128).cast::<i32>();
            let left = _mm512_loadu_epi32(pair);
            let right = _mm512_loadu_epi32(pair.add(16));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = levels.add(row * stride + 4 * group).cast::<i32>();
                let level = _mm512_set1_epi32(at.read_unaligned());
                tile[0] = _mm512_dpbusd_epi32(tile[0], level, left);
                tile[1] = _mm512_dpbusd_epi32(tile[1], level, right);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * 32);
            _mm512_storeu_epi32(at, tile[0]);
            _mm512_storeu_epi32(at.add(16), tile[1]);
        }
    }
}

/// # Safety
/// That of [`Isa::floats`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn floats<const ROWS: usize>(
    left: *const f32,
    stride: usize,
    panel: *const f32,
    depth: usize,
    sums: *mut f32,
    sums_stride: usize,
) {
    let mut tile = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller's slices hold all of the depth, rows and columns.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 32);
            let (first, second) = (_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = _mm512_set1_ps(*left.add(row * stride + step));
                tile[0] = _mm512_fmadd_ps(factor, first, tile[0]);
                tile[1] = _mm512_fmadd_ps(factor, second, tile[1]);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * sums_stride);
            _mm512_storeu_ps(at, tile[0]);
            _mm512_storeu_ps(at.add(16), tile[1]);
        }
    }
}
