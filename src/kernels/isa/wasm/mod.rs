//! WebAssembly: 128 bits, with or without the relaxed instructions, which are
//! decided on when a module is built.

mod vector;

use std::arch::wasm32::*;

use self::vector::{Vectors, multiply_add};
use super::super::exp::ROUND;
use super::{Isa, Narrow, Vector, by_rows};

/// With `PAIRS`, the relaxed product is followed by a sum of pairs in an
/// instruction of its own, see [`sums_pairs`].
pub(super) struct Wasm<const PAIRS: bool>;

/// Rows of a tile, and vectors of four columns.
const ROWS: usize = 2;
const VECTORS: usize = 4;

impl<const PAIRS: bool> Isa for Wasm<PAIRS> {
    type Vector = Vectors;
    #[cfg(target_feature = "relaxed-simd")]
    type Level = u8;
    #[cfg(not(target_feature = "relaxed-simd"))]
    type Level = i16;
    #[cfg(target_feature = "relaxed-simd")]
    type Weight = i8;
    #[cfg(not(target_feature = "relaxed-simd"))]
    type Weight = i16;
    const GROUP: usize = if cfg!(target_feature = "relaxed-simd") {
        4
    } else {
        2
    };
    const ROWS: usize = ROWS;
    const COLUMNS: usize = 4 * VECTORS;
    // More are slower, and hardly more exact.
    const BLOCKS: usize = if cfg!(target_feature = "relaxed-simd") {
        2
    } else {
        1
    };
    // The relaxed product is defined for 7 bits.
    const ONE: Self::Level = 1;
    const LARGEST: f32 = if cfg!(target_feature = "relaxed-simd") {
        127.
    } else {
        255.
    };
    const CENTRED: bool = !cfg!(target_feature = "relaxed-simd");

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
                1 => integers::<1, PAIRS>(levels, stride, weights, groups, sums),
                2 => integers::<2, PAIRS>(levels, stride, weights, groups, sums),
                rows => unreachable!("a tile of {rows} rows"),
            }
        }
    }

    const NARROW: Option<Narrow> = match PAIRS {
        true => Some(Narrow {
            groups: 2,
            lane: 2,
            // Times the largest level within 16 bits.
            most: i16::MAX as i32 / 127,
        }),
        false => None,
    };

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
        unsafe {
            match rows {
                1 => narrow_integers::<1>(levels, stride, weights, groups, sums),
                2 => narrow_integers::<2>(levels, stride, weights, groups, sums),
                rows => unreachable!("a tile of {rows} rows"),
            }
        }
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

impl<const PAIRS: bool> Wasm<PAIRS> {
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

/// Whether the engine makes a relaxed product of x86's `pmaddubsw`, a sum of
/// its pairs and the constant for that, which it makes anew each time. The
/// constant is better made once. Where it is one instruction, as on aarch64 and
/// x86 with AVX-VNNI, nothing is gained.
///
/// Told by a level beyond 7 bits, for which engines may do as they like:
/// `pmaddubsw` saturates in 16 bits.
#[cfg(target_feature = "relaxed-simd")]
pub(super) fn sums_pairs() -> bool {
    let (weights, levels) = (i8x16_splat(127), u8x16_splat(255));
    let (weights, levels) = std::hint::black_box((weights, levels));
    let sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights, levels, i32x4_splat(0));
    i32x4_extract_lane::<0>(sum) == 2 * i32::from(i16::MAX)
}

/// `sum + levels . weights` for four sums; `ones` are 16-bit ones.
#[inline(always)]
#[cfg_attr(not(target_feature = "relaxed-simd"), expect(unused_variables))]
fn dot<const PAIRS: bool>(sum: v128, levels: v128, weights: v128, ones: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return match PAIRS {
        true => {
            let pairs = i16x8_relaxed_dot_i8x16_i7x16(weights, levels);
            i32x4_add(sum, i32x4_dot_i16x8(pairs, ones))
        }
        false => i32x4_relaxed_dot_i8x16_i7x16_add(weights, levels, sum),
    };
    #[cfg(not(target_feature = "relaxed-simd"))]
    return i32x4_add(sum, i32x4_dot_i16x8(levels, weights));
}

/// # Safety
/// That of [`Isa::integers`].
#[inline]
unsafe fn integers<const ROWS: usize, const PAIRS: bool>(
    levels: *const <Wasm<PAIRS> as Isa>::Level,
    stride: usize,
    weights: *const <Wasm<PAIRS> as Isa>::Weight,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
    let ones = match PAIRS {
        // Hidden from the compiler, which makes the one instruction of it again.
        true => std::hint::black_box(i16x8_splat(1)),
        false => i16x8_splat(1),
    };
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            // Four columns of a group are 16 bytes, whatever is in them.
            let at = weights.cast::<v128>().add(group * VECTORS);
            let columns: [v128; VECTORS] = std::array::from_fn(|part| v128_load(at.add(part)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = levels.add(row * stride + Wasm::<PAIRS>::GROUP * group);
                let level = v128_load32_splat(at.cast());
                for (sum, weights) in tile.iter_mut().zip(columns) {
                    *sum = dot::<PAIRS>(*sum, level, weights, ones);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                v128_store(sums.cast::<v128>().add(row * VECTORS + part), *sum);
            }
        }
    }
}

/// Two groups at a time, summed in 16 bits.
///
/// # Safety
/// That of [`Isa::narrow_integers`].
#[cfg(target_feature = "relaxed-simd")]
#[inline]
unsafe fn narrow_integers<const ROWS: usize>(
    levels: *const u8,
    stride: usize,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
    // Hidden from the compiler, which makes another instruction of it.
    let ones = std::hint::black_box(i16x8_splat(1));
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for pair in 0..groups / 2 {
            let at = weights.cast::<v128>().add(2 * pair * VECTORS);
            let levels = levels.add(8 * pair);
            let levels: [[v128; 2]; ROWS] = std::array::from_fn(|row| {
                let at = levels.add(row * stride).cast::<u32>();
                [v128_load32_splat(at), v128_load32_splat(at.add(1))]
            });
            for part in 0..VECTORS {
                let weights = [v128_load(at.add(part)), v128_load(at.add(VECTORS + part))];
                for (tile, levels) in tile.iter_mut().zip(levels) {
                    let products =
                        [0, 1].map(|of| i16x8_relaxed_dot_i8x16_i7x16(weights[of], levels[of]));
                    let narrow = i16x8_add(products[0], products[1]);
                    tile[part] = i32x4_add(tile[part], i32x4_dot_i16x8(narrow, ones));
                }
            }
        }
        if groups % 2 == 1 {
            let at = weights.cast::<v128>().add((groups - 1) * VECTORS);
            for part in 0..VECTORS {
                let weights = v128_load(at.add(part));
                for (row, tile) in tile.iter_mut().enumerate() {
                    let level =
                        v128_load32_splat(levels.add(row * stride + 4 * (groups - 1)).cast());
                    tile[part] = dot::<true>(tile[part], level, weights, ones);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                v128_store(sums.cast::<v128>().add(row * VECTORS + part), *sum);
            }
        }
    }
}

/// # Safety
/// That of [`Isa::floats`].
#[inline]
unsafe fn floats<const ROWS: usize>(
    left: *const f32,
    stride: usize,
    panel: *const f32,
    depth: usize,
    sums: *mut f32,
    sums_stride: usize,
) {
    let mut tile = [[f32x4_splat(0.); VECTORS]; ROWS];
    // SAFETY: the caller's slices hold all of the depth, rows and columns.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 4 * VECTORS).cast::<v128>();
            let columns: [v128; VECTORS] = std::array::from_fn(|part| v128_load(at.add(part)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = v128_load32_splat(left.add(row * stride + step).cast());
                for (sum, values) in tile.iter_mut().zip(columns) {
                    *sum = multiply_add(*sum, factor, values);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                v128_store(sums.add(row * sums_stride + part * 4).cast(), *sum);
            }
        }
    }
}
