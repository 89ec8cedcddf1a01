//! WebAssembly: 128 bits, with or without the relaxed instructions, which are
//! decided on when a module is built.

use std::arch::wasm32::*;

use super::super::exp::ROUND;
use super::{Isa, Vector, by_rows};

/// With `PAIRS`, the relaxed product is followed by a sum of pairs in an
/// instruction of its own, see [`sums_pairs`].
pub(super) struct Wasm<const PAIRS: bool>;

/// Rows of a tile, and vectors of four columns.
const ROWS: usize = 2;
const VECTORS: usize = 4;

impl<const PAIRS: bool> Isa for Wasm<PAIRS> {
    type Vector = v128;
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
    unsafe fn levels(values: v128, zero: i32, at: *mut Self::Level) {
        let nearest = f32x4_add(values, f32x4_splat(ROUND));
        let offset = match Self::CENTRED {
            true => 0,
            false => zero,
        };
        // The whole number is in the last bits.
        let levels = i32x4_sub(nearest, i32x4_splat(ROUND.to_bits() as i32 - offset));
        let levels = i32x4_max(levels, i32x4_splat(offset - zero));
        let largest = Self::LARGEST as i32 + offset - zero;
        let levels = i32x4_min(levels, i32x4_splat(largest));
        let levels = i16x8_narrow_i32x4(levels, levels);
        // SAFETY: the caller's.
        unsafe {
            #[cfg(target_feature = "relaxed-simd")]
            v128_store32_lane::<0>(i8x16_narrow_i16x8(levels, levels), at.cast());
            #[cfg(not(target_feature = "relaxed-simd"))]
            v128_store64_lane::<0>(levels, at.cast());
        }
    }

    #[inline(always)]
    unsafe fn four_levels(values: [v128; 4], at: *mut Self::Level) {
        // Narrowed together, which takes fewer instructions than one by one.
        let round = i32x4_splat(ROUND.to_bits() as i32);
        let [one, two, three, four] = values;
        let first = i16x8_narrow_i32x4(i32x4_sub(one, round), i32x4_sub(two, round));
        let last = i16x8_narrow_i32x4(i32x4_sub(three, round), i32x4_sub(four, round));
        // SAFETY: the caller's.
        unsafe {
            #[cfg(target_feature = "relaxed-simd")]
            v128_store(at.cast(), u8x16_narrow_i16x8(first, last));
            #[cfg(not(target_feature = "relaxed-simd"))]
            {
                v128_store(at.cast(), first);
                v128_store(at.add(8).cast(), last);
            }
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
        scratch.clear();
        scratch.extend(panel.iter().map(|&weight| i16::from(weight)));
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

/// `sum + left * right`
#[inline(always)]
fn multiply_add(sum: v128, left: v128, right: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(left, right, sum);
    #[cfg(not(target_feature = "relaxed-simd"))]
    return f32x4_add(sum, f32x4_mul(left, right));
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

impl Vector for v128 {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        f32x4_splat(value)
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { v128_load(at.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller's.
        unsafe { v128_store(at.cast(), self) }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let zeros = i32x4_mul(i32x4_splat(zero), v128_load(others.cast()));
            f32x4_convert_i32x4(i32x4_sub(v128_load(at.cast()), zeros))
        }
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { f32x4_convert_i32x4(v128_load(at.cast())) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        f32x4_add(self, other)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        f32x4_sub(self, other)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        f32x4_mul(self, other)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        f32x4_div(self, other)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        multiply_add(sum, self, factor)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        f32x4_pmax(other, self)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        f32x4_pmin(other, self)
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        i32x4_shl(self, 23)
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let pair = f32x4_add(self, i32x4_shuffle::<2, 3, 2, 3>(self, self));
        f32x4_extract_lane::<0>(pair) + f32x4_extract_lane::<1>(pair)
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        let pair = self.max(i32x4_shuffle::<2, 3, 2, 3>(self, self));
        f32x4_extract_lane::<0>(pair).max(f32x4_extract_lane::<1>(pair))
    }
}
