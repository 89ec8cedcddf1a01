//! WebAssembly: 128 bits, with or without the relaxed instructions, which are
//! decided on when a module is built.

mod bits;
mod lookup;
mod place;
mod tiles;
mod vector;

use std::arch::wasm32::*;

use cfg_if::cfg_if;

use self::lookup::largest;
use self::tiles::floats;
use self::vector::Vectors;
use super::super::rounding::ROUND;
use super::Vector;
use super::token::{Candidate, Isa, Kernel, Levels, Narrow, Strided};

/// The token of vectors of 128 bits, which a module has or does not load.
///
/// A relaxed product is defined for values of 7 bits; with `EIGHT_BITS` they
/// have one more, see [`Relaxed`](tiles::Relaxed). With `PAIRS`, it is followed
/// by a sum of pairs in an instruction of its own.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Wasm<const EIGHT_BITS: bool, const PAIRS: bool>(());

/// Rows of a tile.
const ROWS: usize = 2;
/// Vectors of four columns of a tile.
const VECTORS: usize = 4;

cfg_if! {
    if #[cfg(target_feature = "relaxed-simd")] {
        use self::bits::bits;
        use self::tiles::{Relaxed, narrow_integers, wide_integers};

        /// That of [`Isa`].
        type Quantized = u8;
        /// That of [`Isa`].
        type Weight = i8;
    } else {
        type Quantized = i16;
        type Weight = i16;
    }
}

const GROUP: usize = 4 / size_of::<Weight>();

// SAFETY: a module with vectors is refused by engines that have none.
unsafe impl<const EIGHT_BITS: bool, const PAIRS: bool> Isa for Wasm<EIGHT_BITS, PAIRS> {
    type Vector = Vectors;
    type Quantized = Quantized;
    type Weight = Weight;
    const GROUP: usize = GROUP;
    const ROWS: usize = ROWS;
    const COLUMNS: usize = 4 * VECTORS;
    // More are slower, and hardly more exact.
    const BLOCKS: usize = if EIGHT_BITS { 1 } else { 2 };
    const ONE: Quantized = 1;
    const MAX_QUANTIZED: i32 = if EIGHT_BITS { 255 } else { 127 };
    const CENTRED: bool = !cfg!(target_feature = "relaxed-simd");
    const IS_WIDE: bool = cfg!(target_feature = "relaxed-simd") && !EIGHT_BITS;
    // One instruction multiplies as many columns otherwise.
    const LOOKUP: usize = if PAIRS || !cfg!(target_feature = "relaxed-simd") {
        lookup::ROWS
    } else {
        0
    };
    const NARROW: Option<Narrow> = if PAIRS {
        Some(Narrow {
            groups: 2,
            lane: 2,
            is_centred: false,
            min_row: 0,
            candidates: &[Candidate {
                largest: 127,
                weights_per_correction: 512,
            }],
        })
    } else {
        None
    };

    fn detect() -> Option<Self> {
        cfg_if! {
            if #[cfg(target_feature = "relaxed-simd")] {
                let fits = match Relaxed::detect() {
                    Relaxed::EightBits => EIGHT_BITS,
                    Relaxed::Pairs => PAIRS,
                    Relaxed::SevenBits => false,
                };
                // All engines have products of 7 bits.
                (fits || !(EIGHT_BITS || PAIRS)).then_some(Self(()))
            } else {
                Some(Self(()))
            }
        }
    }

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // A function for each kernel: browsers make slower code of large ones.
        #[inline(never)]
        fn run<K: Kernel>(isa: impl Isa, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        run(self, kernel)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Vectors {
        Vectors::new(value)
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> Vectors {
        let at = at.cast::<v128>();
        // SAFETY: the caller provides as many vectors.
        Vectors::from_parts(|part| unsafe { v128_load(at.add(part)) })
    }

    #[inline(always)]
    unsafe fn load_integers(self, at: *const i32) -> Vectors {
        let at = at.cast::<v128>();
        // SAFETY: the caller provides as many vectors.
        Vectors::from_parts(|part| f32x4_convert_i32x4(unsafe { v128_load(at.add(part)) }))
    }

    #[inline(always)]
    unsafe fn load_integers_less(self, at: *const i32, zero: i32, others: *const i32) -> Vectors {
        let (at, others) = (at.cast::<v128>(), others.cast::<v128>());
        let zero = i32x4_splat(zero);
        Vectors::from_parts(|part| {
            // SAFETY: the caller provides as many vectors at both.
            let (sum, other) = unsafe { (v128_load(at.add(part)), v128_load(others.add(part))) };
            f32x4_convert_i32x4(i32x4_sub(sum, i32x4_mul(zero, other)))
        })
    }

    #[inline(always)]
    unsafe fn quantize(self, values: Vectors, levels: Levels, at: *mut Quantized) {
        let quantized = Self::quantize_eight(values, levels.zero);
        // SAFETY: the caller provides room for eight values.
        unsafe {
            #[cfg(target_feature = "relaxed-simd")]
            v128_store64_lane::<0>(low_bytes(quantized, quantized), at.cast());
            #[cfg(not(target_feature = "relaxed-simd"))]
            v128_store(at.cast(), quantized);
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn quantize_four(self, values: [Vectors; 4], levels: Levels, at: *mut u8) {
        for (part, pair) in values.chunks_exact(2).enumerate() {
            let [first, last] =
                [pair[0], pair[1]].map(|values| Self::quantize_eight(values, levels.zero));
            // SAFETY: the caller provides room for 32 values.
            unsafe { v128_store(at.add(part * 16).cast(), low_bytes(first, last)) };
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], scratch: &'a mut Vec<i16>) -> &'a [i16] {
        let (vectors, _) = panel.as_chunks::<16>();
        scratch.resize(16 * vectors.len(), 0);
        for (weights, place) in vectors.iter().zip(scratch.chunks_exact_mut(16)) {
            // SAFETY: both are 16 elements long.
            unsafe {
                let weights = v128_load(weights.as_ptr().cast());
                let place = place.as_mut_ptr().cast::<v128>();
                v128_store(place, i16x8_extend_low_i8x16(weights));
                v128_store(place.add(1), i16x8_extend_high_i8x16(weights));
            }
        }
        scratch
    }

    #[inline(always)]
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const Quantized>,
        weights: *const Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe {
            match count {
                1 => tiles::integers::<1, PAIRS>(rows, weights, groups, sums),
                2 => tiles::integers::<2, PAIRS>(rows, weights, groups, sums),
                count => unreachable!("a tile of {count} rows"),
            }
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn multiply_narrow(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
        _middle: i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe { by_rows!(count, narrow_integers(rows, weights, groups, sums), 1 2) }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn multiply_bits(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe {
            if !PAIRS {
                return self.multiply_integers(count, rows, weights, groups, sums);
            }
            by_rows!(count, bits(rows, weights, groups, sums), 1 2)
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
        // SAFETY: the contract is the same.
        unsafe { by_rows!(vectors, largest(places, tables, count, most), 1 2 3 4) }
    }

    #[inline(always)]
    fn spread(self, bits: [u8; 4], to: &mut [Quantized; 32]) {
        bits::spread(bits, to);
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn multiply_wide(
        self,
        count: usize,
        rows: Strided<*const i16>,
        weights: *const i16,
        pairs: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe { by_rows!(count, wide_integers(rows, weights, pairs, sums), 1 2) }
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
        // SAFETY: the contract is the same.
        unsafe { by_rows!(count, floats(rows, panel, depth, sums), 1 2) }
    }
}

impl<const EIGHT_BITS: bool, const PAIRS: bool> Wasm<EIGHT_BITS, PAIRS> {
    /// Quantized values in 16 bits.
    #[inline(always)]
    fn quantize_eight(values: Vectors, zero: i32) -> v128 {
        let offset = if Self::CENTRED { 0 } else { zero };
        // Adding it leaves the integer in the low bits. Engines make a dozen
        // instructions of one that narrows.
        let [one, two] = values.add(Vectors::new(ROUND)).0;
        let quantized = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(one, two);
        let quantized = i16x8_add(quantized, i16x8_splat(offset as i16));
        let quantized = i16x8_max(quantized, i16x8_splat((offset - zero) as i16));
        let largest = Self::MAX_QUANTIZED + offset - zero;
        i16x8_min(quantized, i16x8_splat(largest as i16))
    }
}

/// The low bytes of 16-bit numbers.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn low_bytes(one: v128, two: v128) -> v128 {
    i8x16_shuffle::<0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30>(one, two)
}
