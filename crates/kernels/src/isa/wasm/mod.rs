//! WebAssembly: 128 bits, with or without the relaxed instructions, which are
//! decided on when a module is built.

mod tiles;
mod vector;

use std::arch::wasm32::*;

#[cfg(target_feature = "relaxed-simd")]
pub(super) use tiles::Relaxed;

use self::tiles::floats;
#[cfg(target_feature = "relaxed-simd")]
use self::tiles::narrow_integers;
use self::vector::Vectors;
use super::super::exp::ROUND;
use super::{Isa, Narrow, Vector, by_rows};

/// A relaxed product is defined for levels of 7 bits; with `EIGHT_BITS` they
/// have one more, see [`Relaxed`]. With `PAIRS`, it is followed by a sum of pairs
/// in an instruction of its own.
pub(super) struct Wasm<const EIGHT_BITS: bool, const PAIRS: bool>;

/// Rows of a tile, and vectors of four columns.
const ROWS: usize = 2;
const VECTORS: usize = 4;

/// Those of [`Isa`].
#[cfg(target_feature = "relaxed-simd")]
type Level = u8;
#[cfg(not(target_feature = "relaxed-simd"))]
type Level = i16;
#[cfg(target_feature = "relaxed-simd")]
type Weight = i8;
#[cfg(not(target_feature = "relaxed-simd"))]
type Weight = i16;
const GROUP: usize = 4 / size_of::<Weight>();

impl<const EIGHT_BITS: bool, const PAIRS: bool> Isa for Wasm<EIGHT_BITS, PAIRS> {
    type Vector = Vectors;
    type Level = Level;
    type Weight = Weight;
    const GROUP: usize = GROUP;
    const ROWS: usize = ROWS;
    const COLUMNS: usize = 4 * VECTORS;
    // More are slower, and hardly more exact.
    const BLOCKS: usize = if EIGHT_BITS { 1 } else { 2 };
    const ONE: Self::Level = 1;
    const LARGEST: f32 = if EIGHT_BITS { 255. } else { 127. };
    const CENTRED: bool = !cfg!(target_feature = "relaxed-simd");
    const NARROW: Option<Narrow> = match PAIRS {
        true => Some(Narrow {
            groups: 2,
            lane: 2,
            // Times the largest level within 16 bits.
            most: i16::MAX as i32 / Self::LARGEST as i32,
        }),
        false => None,
    };

    #[inline(always)]
    unsafe fn levels(values: Vectors, zero: i32, at: *mut Self::Level) {
        let levels = Self::eight_levels(values, zero);
        // SAFETY: the caller's.
        unsafe {
            #[cfg(target_feature = "relaxed-simd")]
            v128_store64_lane::<0>(low_bytes(levels, levels), at.cast());
            #[cfg(not(target_feature = "relaxed-simd"))]
            v128_store(at.cast(), levels);
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn four_levels(values: [Vectors; 4], zero: i32, at: *mut u8) {
        for (part, pair) in values.chunks_exact(2).enumerate() {
            let [first, last] = [pair[0], pair[1]].map(|values| Self::eight_levels(values, zero));
            // SAFETY: the caller's.
            unsafe { v128_store(at.add(part * 16).cast(), low_bytes(first, last)) };
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], scratch: &'a mut Vec<i16>) -> &'a [i16] {
        let (vectors, _) = panel.as_chunks::<16>();
        scratch.resize(16 * vectors.len(), 0);
        for (weights, place) in vectors.iter().zip(scratch.chunks_exact_mut(16)) {
            // SAFETY: as many weights as places.
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
    unsafe fn integers(
        rows: usize,
        levels: *const Self::Level,
        stride: usize,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match rows {
                1 => tiles::integers::<1, PAIRS>(levels, stride, weights, groups, sums),
                2 => tiles::integers::<2, PAIRS>(levels, stride, weights, groups, sums),
                rows => unreachable!("a tile of {rows} rows"),
            }
        }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    unsafe fn narrow_integers(
        rows: usize,
        levels: *const u8,
        stride: usize,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe { by_rows!(rows, narrow_integers(levels, stride, weights, groups, sums), 1 2) }
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
        unsafe { by_rows!(rows, floats(left, stride, panel, depth, sums, sums_stride), 1 2) }
    }
}

impl<const EIGHT_BITS: bool, const PAIRS: bool> Wasm<EIGHT_BITS, PAIRS> {
    /// Levels in 16 bits.
    #[inline(always)]
    fn eight_levels(values: Vectors, zero: i32) -> v128 {
        let offset = match Self::CENTRED {
            true => 0,
            false => zero,
        };
        // The last bits are the whole number. Instructions that narrow are made
        // of a dozen others.
        let [one, two] = values.add(Vectors::splat(ROUND)).0;
        let levels = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(one, two);
        let levels = i16x8_add(levels, i16x8_splat(offset as i16));
        let levels = i16x8_max(levels, i16x8_splat((offset - zero) as i16));
        let largest = Self::LARGEST as i32 + offset - zero;
        i16x8_min(levels, i16x8_splat(largest as i16))
    }
}

/// The low bytes of 16-bit numbers.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn low_bytes(one: v128, two: v128) -> v128 {
    i8x16_shuffle::<0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30>(one, two)
}
