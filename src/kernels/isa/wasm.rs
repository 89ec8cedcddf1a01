//! WebAssembly: 128 bits, with or without the relaxed instructions, which are
//! decided on when a module is built.

use std::arch::wasm32::*;

use super::{Isa, by_rows};

pub(super) struct Wasm;

/// Rows of a tile, and vectors of four columns.
const ROWS: usize = 2;
const VECTORS: usize = 4;

impl Isa for Wasm {
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
    // The relaxed product is defined for 7 bits.
    const LARGEST: f32 = if cfg!(target_feature = "relaxed-simd") {
        127.
    } else {
        255.
    };
    const CENTRED: bool = !cfg!(target_feature = "relaxed-simd");

    #[inline(always)]
    fn level(level: i32, zero: i32) -> Self::Level {
        match Self::CENTRED {
            true => (level - zero) as Self::Level,
            false => level as Self::Level,
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
        unsafe { by_rows!(rows, integers(levels, stride, weights, groups, sums), 1 2) }
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

/// `sum + levels . weights` for four sums.
#[inline(always)]
fn dot(sum: v128, levels: v128, weights: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return i32x4_relaxed_dot_i8x16_i7x16_add(weights, levels, sum);
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
unsafe fn integers<const ROWS: usize>(
    levels: *const <Wasm as Isa>::Level,
    stride: usize,
    weights: *const <Wasm as Isa>::Weight,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            // Four columns of a group are 16 bytes, whatever is in them.
            let at = weights.cast::<v128>().add(group * VECTORS);
            let columns: [v128; VECTORS] = std::array::from_fn(|part| v128_load(at.add(part)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = levels.add(row * stride + Wasm::GROUP * group);
                let level = v128_load32_splat(at.cast());
                for (sum, weights) in tile.iter_mut().zip(columns) {
                    *sum = dot(*sum, level, weights);
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
