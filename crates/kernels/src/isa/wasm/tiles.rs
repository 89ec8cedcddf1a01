//! Products of small tiles.

use std::arch::wasm32::*;

use super::vector::multiply_add;
use super::{GROUP, Level, VECTORS, Weight};

/// What an engine makes of a relaxed product.
#[cfg(target_feature = "relaxed-simd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Relaxed {
    /// One instruction for unsigned levels of 8 bits, as on x86 with AVX-VNNI.
    EightBits,
    /// x86's `pmaddubsw`, a sum of its pairs and the constant for that, which it
    /// makes anew each time. The constant is better made once.
    Pairs,
    /// Something else for levels of 7 bits, such as one instruction on aarch64.
    SevenBits,
}

#[cfg(target_feature = "relaxed-simd")]
impl Relaxed {
    /// That of this engine, told by levels beyond 7 bits, for which it may do as
    /// it likes.
    pub(in super::super) fn here() -> Self {
        let sum = |weight| {
            let (weights, levels) = (i8x16_splat(weight), u8x16_splat(u8::MAX));
            let (weights, levels) = std::hint::black_box((weights, levels));
            let sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights, levels, i32x4_splat(0));
            i32x4_extract_lane::<0>(sum)
        };
        let whole = |weight| 4 * i32::from(weight) * i32::from(u8::MAX);
        match [sum(i8::MAX), sum(i8::MIN)] {
            sums if sums == [i8::MAX, i8::MIN].map(whole) => Self::EightBits,
            // Saturated in 16 bits.
            [most, _] if most == 2 * i32::from(i16::MAX) => Self::Pairs,
            _ => Self::SevenBits,
        }
    }
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

/// Where the weights of a group begin: four columns of it are 16 bytes, whatever
/// is in them.
#[inline(always)]
fn at<W>(weights: *const W, group: usize) -> *const v128 {
    weights.cast::<v128>().wrapping_add(group * VECTORS)
}

/// Adds the products of a group to the sums.
///
/// # Safety
/// There are levels of the group in each row, and weights for each column.
#[inline(always)]
unsafe fn add_group<const ROWS: usize, const PAIRS: bool>(
    tile: &mut [[v128; VECTORS]; ROWS],
    levels: *const Level,
    stride: usize,
    weights: *const v128,
    ones: v128,
) {
    // SAFETY: the caller's.
    unsafe {
        let columns: [v128; VECTORS] = std::array::from_fn(|part| v128_load(weights.add(part)));
        for (row, tile) in tile.iter_mut().enumerate() {
            let level = v128_load32_splat(levels.add(row * stride).cast());
            for (sum, weights) in tile.iter_mut().zip(columns) {
                *sum = dot::<PAIRS>(*sum, level, weights, ones);
            }
        }
    }
}

/// Writes the rows of a tile, so many numbers of 32 bits from each other.
///
/// # Safety
/// There is room for all of them.
#[inline(always)]
unsafe fn store<const ROWS: usize>(tile: [[v128; VECTORS]; ROWS], at: *mut u32, stride: usize) {
    for (row, tile) in tile.into_iter().enumerate() {
        for (part, sum) in tile.into_iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { v128_store(at.add(row * stride + part * 4).cast(), sum) }
        }
    }
}

/// # Safety
/// That of [`Isa::integers`].
#[inline]
pub(super) unsafe fn integers<const ROWS: usize, const PAIRS: bool>(
    levels: *const Level,
    stride: usize,
    weights: *const Weight,
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
            let levels = levels.add(GROUP * group);
            add_group::<ROWS, PAIRS>(&mut tile, levels, stride, at(weights, group), ones);
        }
        store(tile, sums.cast(), 4 * VECTORS);
    }
}

/// Two groups at a time, summed in 16 bits.
///
/// # Safety
/// That of [`Isa::narrow_integers`].
#[cfg(target_feature = "relaxed-simd")]
#[inline]
pub(super) unsafe fn narrow_integers<const ROWS: usize>(
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
            let at = at(weights, 2 * pair);
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
            let levels = levels.add(4 * (groups - 1));
            let weights = at(weights, groups - 1);
            add_group::<ROWS, true>(&mut tile, levels, stride, weights, ones);
        }
        store(tile, sums.cast(), 4 * VECTORS);
    }
}

/// # Safety
/// That of [`Isa::floats`].
#[inline]
pub(super) unsafe fn floats<const ROWS: usize>(
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
        store(tile, sums.cast(), sums_stride);
    }
}
