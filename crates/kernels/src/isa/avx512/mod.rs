//! AVX-512 with VNNI: 512 bits, and products of 8 bits that add up in 32.

mod quantize;
mod vector;

use std::arch::x86_64::*;

use self::vector::F32x16;
use super::avx2;
use super::token::{Isa, Kernel, Levels, Strided};

/// Proof that the machine has AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx512Vnni(());

/// Selects lanes of 128 bits of two vectors: those at even places of each.
const EVEN: i32 = 0b10_00_10_00;
/// Those at odd places.
const ODD: i32 = 0b11_01_11_01;

// SAFETY: `detect` alone makes the token.
unsafe impl Isa for Avx512Vnni {
    type Vector = F32x16;
    type Quantized = u8;
    type Weight = i8;
    const GROUP: usize = 4;
    const ROWS: usize = 12;
    const COLUMNS: usize = 32;
    const ONE: u8 = 1;
    const MAX_QUANTIZED: i32 = 255;
    const CENTRED: bool = false;

    fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        is_there.then_some(Self(()))
    }

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
        fn run<K: Kernel>(isa: Avx512Vnni, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32x16 {
        // SAFETY: `self` proves the instructions.
        F32x16(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> F32x16 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x16(unsafe { _mm512_loadu_ps(at) })
    }

    #[inline(always)]
    unsafe fn load_integers(self, at: *const i32) -> F32x16 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x16(unsafe { _mm512_cvtepi32_ps(_mm512_loadu_epi32(at)) })
    }

    #[inline(always)]
    unsafe fn load_integers_less(self, at: *const i32, zero: i32, others: *const i32) -> F32x16 {
        // SAFETY: `self` proves the instructions; the caller provides a vector at
        // both.
        F32x16(unsafe {
            let zeros = _mm512_mullo_epi32(_mm512_set1_epi32(zero), _mm512_loadu_epi32(others));
            _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_epi32(at), zeros))
        })
    }

    #[inline(always)]
    unsafe fn quantize(self, values: F32x16, levels: Levels, at: *mut u8) {
        // SAFETY: `self` proves the instructions; the caller provides room for a
        // vector.
        unsafe {
            let quantized = _mm512_cvtps_epi32(values.0);
            let quantized = _mm512_add_epi32(quantized, _mm512_set1_epi32(levels.zero));
            let quantized = _mm512_max_epi32(quantized, _mm512_setzero_si512());
            _mm_storeu_si128(at.cast(), _mm512_cvtusepi32_epi8(quantized));
        }
    }

    #[inline(always)]
    unsafe fn quantize_four(self, values: [F32x16; 4], levels: Levels, at: *mut u8) {
        // SAFETY: `self` proves the instructions; the caller provides room for
        // four vectors.
        unsafe {
            let zero = _mm512_set1_epi32(levels.zero);
            let [a, b, c, d] = values.map(|one| _mm512_add_epi32(_mm512_cvtps_epi32(one.0), zero));
            // Both saturate, which clamps to 8 bits.
            let bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            // The instructions interleave the vectors by lanes of 128 bits.
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_storeu_si512(at.cast(), _mm512_permutexvar_epi32(order, bytes));
        }
    }

    #[inline(always)]
    unsafe fn quantize_keys(
        self,
        rows: Strided<*const f32>,
        factors: &[f32],
        panel: &mut [i8],
        _: &mut [i8],
    ) {
        // SAFETY: the contract is the same.
        unsafe { quantize::keys(self, rows, factors, panel) }
    }

    #[inline(always)]
    unsafe fn quantize_values(
        self,
        rows: Strided<*const f32>,
        count: usize,
        factors: &[f32],
        panel: &mut [i8],
    ) {
        // SAFETY: the contract is the same.
        unsafe { quantize::values(self, rows, count, factors, panel) }
    }

    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    fn spread(self, bits: [u8; 4], to: &mut [u8; 32]) {
        // SAFETY: `self` proves the instructions, which those of AVX2 come with.
        unsafe { avx2::spread(bits, to) }
    }

    #[inline(always)]
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe {
            by_rows!(count, integers(rows, weights, groups, sums), 1 2 3 4 5 6 7 8 9 10 11 12)
        }
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
        unsafe { by_rows!(count, floats(rows, panel, depth, sums), 1 2 3 4 5 6 7 8 9 10 11 12) }
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integers<const ROWS: usize>(
    rows: Strided<*const u8>,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm512_setzero_si512(); 2]; ROWS];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 128).cast::<i32>();
            let left = _mm512_loadu_epi32(pair);
            let right = _mm512_loadu_epi32(pair.add(16));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 4 * group).cast::<i32>();
                let factor = _mm512_set1_epi32(at.read_unaligned());
                tile[0] = _mm512_dpbusd_epi32(tile[0], factor, left);
                tile[1] = _mm512_dpbusd_epi32(tile[1], factor, right);
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
/// That of [`Isa::multiply_floats`]; the rows are `ROWS`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn floats<const ROWS: usize>(
    rows: Strided<*const f32>,
    panel: *const f32,
    depth: usize,
    sums: Strided<*mut f32>,
) {
    let mut tile = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: the caller provides all rows and columns to that depth.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 32);
            let (first, second) = (_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = _mm512_set1_ps(*rows.first.add(row * rows.stride + step));
                tile[0] = _mm512_fmadd_ps(factor, first, tile[0]);
                tile[1] = _mm512_fmadd_ps(factor, second, tile[1]);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.first.add(row * sums.stride);
            _mm512_storeu_ps(at, tile[0]);
            _mm512_storeu_ps(at.add(16), tile[1]);
        }
    }
}
