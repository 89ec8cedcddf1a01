//! AVX2 with fused multiply-add: 256 bits, with or without AVX-VNNI.

mod bits;
mod bounds;
mod exact;
mod lookup;
mod narrow;
mod quantize;
mod tiles;
mod vector;
mod wide;

use std::arch::x86_64::*;

pub(super) use self::bits::spread;
use self::bits::{Place, bits};
use self::exact::exact;
use self::lookup::largest;
use self::narrow::Operands;
use self::tiles::{floats, vnni};
use self::vector::F32x8;
use self::wide::wide;
use super::token::{AttentionLevels, Isa, Kernel, Levels, Narrow, Strided};

/// Proof that the machine has AVX2 and FMA; with `VNNI` also AVX-VNNI, products of
/// 8 bits that add up in 32.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2<const VNNI: bool>(());

// SAFETY: `detect` alone makes the token.
unsafe impl<const VNNI: bool> Isa for Avx2<VNNI> {
    type Vector = F32x8;
    type Quantized = u8;
    type Weight = i8;
    const GROUP: usize = 4;
    const ROWS: usize = if VNNI { tiles::ROWS } else { narrow::ROWS };
    const COLUMNS: usize = tiles::COLUMNS;
    // Values of layers have fewer than 8 bits.
    const BLOCKS: usize = if VNNI { 1 } else { 2 };
    const ONE: u8 = 1;
    const MAX_QUANTIZED: i32 = 255;
    const CENTRED: bool = false;
    const NARROW: Option<Narrow> = if VNNI { None } else { Some(bounds::LAYERS) };
    const IS_WIDE: bool = !VNNI;
    const LOOKUP: usize = if VNNI { 0 } else { lookup::ROWS };
    const ATTENTION: AttentionLevels = if VNNI {
        AttentionLevels::EIGHT_BITS
    } else {
        bounds::ATTENTION
    };

    fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && (!VNNI || is_x86_feature_detected!("avxvnni"));
        is_there.then_some(Self(()))
    }

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma")]
        fn run<K: Kernel>(isa: impl Isa, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        #[target_feature(enable = "avx2,fma,avxvnni")]
        fn run_vnni<K: Kernel>(isa: impl Isa, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves the instructions.
        unsafe {
            if VNNI {
                run_vnni(self, kernel)
            } else {
                run(self, kernel)
            }
        }
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
    unsafe fn quantize(self, values: F32x8, levels: Levels, at: *mut u8) {
        // SAFETY: `self` proves the instructions; the caller provides room for a
        // vector.
        unsafe {
            let zero = _mm256_set1_epi32(levels.zero);
            let quantized = _mm256_add_epi32(_mm256_cvtps_epi32(values.0), zero);
            let high = _mm256_extracti128_si256(quantized, 1);
            let quantized = _mm_packs_epi32(_mm256_castsi256_si128(quantized), high);
            // Saturates, which clamps to 8 bits.
            let quantized = _mm_packus_epi16(quantized, quantized);
            let largest = _mm_set1_epi8(levels.largest as i8);
            _mm_storel_epi64(at.cast(), _mm_min_epu8(quantized, largest));
        }
    }

    #[inline(always)]
    unsafe fn quantize_four(self, values: [F32x8; 4], levels: Levels, at: *mut u8) {
        // SAFETY: `self` proves the instructions; the caller provides room for
        // four vectors.
        unsafe {
            let zero = _mm256_set1_epi32(levels.zero);
            let [a, b, c, d] = values.map(|one| _mm256_add_epi32(_mm256_cvtps_epi32(one.0), zero));
            // Both saturate, which clamps to 8 bits.
            let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
            let bytes = _mm256_min_epu8(bytes, _mm256_set1_epi8(levels.largest as i8));
            // The instructions interleave the vectors by lanes of 128 bits.
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            _mm256_storeu_si256(at.cast(), _mm256_permutevar8x32_epi32(bytes, order));
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
            if VNNI {
                return by_rows!(count, vnni(rows, weights, groups, sums), 1 2 3 4 5 6);
            }
            let operands = Operands {
                count,
                rows,
                weights,
                sums,
            };
            exact(operands, groups);
        }
    }

    #[inline(always)]
    unsafe fn multiply_narrow(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
        middle: i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe {
            if VNNI {
                return by_rows!(count, vnni(rows, weights, groups, sums), 1 2 3 4 5 6);
            }
            let operands = Operands {
                count,
                rows,
                weights,
                sums,
            };
            narrow::layer(operands, groups, middle);
        }
    }

    #[inline(always)]
    unsafe fn multiply_bits(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        if VNNI || groups == 0 {
            // SAFETY: the contract is the same.
            return unsafe { self.multiply_integers(count, rows, weights, groups, sums) };
        }
        for group in (0..groups).step_by(bits::GROUPS) {
            let some = (groups - group).min(bits::GROUPS);
            let place = if group == 0 {
                Place::Overwritten
            } else {
                Place::Added
            };
            let weights = weights.wrapping_add(group * Self::GROUP * Self::COLUMNS);
            for first in (0..count).step_by(bits::ROWS) {
                let at = first * rows.stride + group * Self::GROUP;
                let rows = Strided {
                    first: rows.first.wrapping_add(at),
                    ..rows
                };
                let sums = sums.wrapping_add(first * Self::COLUMNS);
                let count = (count - first).min(bits::ROWS);
                // SAFETY: `self` proves the instructions; the caller provides all
                // rows and groups.
                unsafe { by_rows!(count, bits(rows, weights, some, sums, place), 1 2 3 4 5 6) }
            }
        }
    }

    #[inline(always)]
    unsafe fn look_up(
        self,
        vectors: usize,
        places: *const u8,
        tables: *const u8,
        count: usize,
        most: *mut u16,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe { by_rows!(vectors, largest(places, tables, count, most), 1 2 3 4) }
    }

    #[inline(always)]
    fn spread(self, bits: [u8; 4], to: &mut [u8; 32]) {
        // SAFETY: `self` proves the instructions.
        unsafe { spread(bits, to) }
    }

    #[inline(always)]
    unsafe fn multiply_queries(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe {
            if VNNI {
                return by_rows!(count, vnni(rows, weights, groups, sums), 1 2 3 4 5 6);
            }
            let operands = Operands {
                count,
                rows,
                weights,
                sums,
            };
            narrow::queries(operands, groups);
        }
    }

    #[inline(always)]
    unsafe fn multiply_weights(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe {
            if VNNI {
                return by_rows!(count, vnni(rows, weights, groups, sums), 1 2 3 4 5 6);
            }
            let operands = Operands {
                count,
                rows,
                weights,
                sums,
            };
            narrow::weights(operands, groups);
        }
    }

    #[inline(always)]
    unsafe fn multiply_wide(
        self,
        count: usize,
        rows: Strided<*const i16>,
        weights: *const i16,
        pairs: usize,
        sums: *mut i32,
    ) {
        for first in (0..count).step_by(wide::ROWS) {
            let rows = Strided {
                first: rows.first.wrapping_add(first * rows.stride),
                ..rows
            };
            let sums = sums.wrapping_add(first * Self::COLUMNS);
            let count = (count - first).min(wide::ROWS);
            // SAFETY: `self` proves the instructions; the caller provides all rows.
            unsafe { by_rows!(count, wide(rows, weights, pairs, sums), 1 2 3 4 5 6) }
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
        for first in (0..count).step_by(tiles::ROWS) {
            let rows = Strided {
                first: rows.first.wrapping_add(first * rows.stride),
                ..rows
            };
            let sums = Strided {
                first: sums.first.wrapping_add(first * sums.stride),
                ..sums
            };
            let count = (count - first).min(tiles::ROWS);
            // SAFETY: `self` proves the instructions; the caller provides all rows.
            unsafe { by_rows!(count, floats(rows, panel, depth, sums), 1 2 3 4 5 6) }
        }
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
