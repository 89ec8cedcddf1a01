//! Products of small tiles.

use std::arch::wasm32::*;

use super::place::Place;
use super::vector::multiply_add;
use super::{GROUP, Quantized, Strided, VECTORS, Weight};

/// How an engine computes a relaxed product.
#[cfg(target_feature = "relaxed-simd")]
#[derive(Clone, Copy, Debug)]
pub(super) enum Relaxed {
    /// One instruction for unsigned values of 8 bits, as on x86 with AVX-VNNI.
    EightBits,
    /// x86's `pmaddubsw`, then a sum of its pairs with a constant that the engine
    /// makes anew each time: it is better made once, by us.
    Pairs,
    /// Anything else, for values of 7 bits, such as one instruction on aarch64.
    SevenBits,
}

#[cfg(target_feature = "relaxed-simd")]
impl Relaxed {
    /// Multiplies values of more than 7 bits, for which results differ between
    /// engines.
    pub(super) fn detect() -> Self {
        let sum = |weight| {
            let (weights, values) = (i8x16_splat(weight), u8x16_splat(u8::MAX));
            let (weights, values) = std::hint::black_box((weights, values));
            let sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights, values, i32x4_splat(0));
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

/// `sum + values . weights` for four sums; `ones` are 16-bit ones.
#[inline(always)]
#[cfg_attr(not(target_feature = "relaxed-simd"), expect(unused_variables))]
fn dot<const PAIRS: bool>(sum: v128, values: v128, weights: v128, ones: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return if PAIRS {
        let pairs = i16x8_relaxed_dot_i8x16_i7x16(weights, values);
        i32x4_add(sum, i32x4_dot_i16x8(pairs, ones))
    } else {
        i32x4_relaxed_dot_i8x16_i7x16_add(weights, values, sum)
    };
    #[cfg(not(target_feature = "relaxed-simd"))]
    return i32x4_add(sum, i32x4_dot_i16x8(values, weights));
}

/// Adds the products of a group to the sums.
///
/// # Safety
/// There are values of the group in each row, and weights for each column.
#[inline(always)]
unsafe fn add_group<const ROWS: usize, const PAIRS: bool>(
    tile: &mut [[v128; VECTORS]; ROWS],
    at: &Place<Quantized, ROWS>,
    ones: v128,
) {
    // SAFETY: the caller provides a group of each row and column.
    unsafe {
        let columns = at.columns();
        for (tile, row) in tile.iter_mut().zip(&at.rows) {
            let values = v128_load32_splat(row.cast());
            for (sum, weights) in tile.iter_mut().zip(columns) {
                *sum = dot::<PAIRS>(*sum, values, weights, ones);
            }
        }
    }
}

/// Writes the rows of a tile, of numbers of 32 bits.
///
/// # Safety
/// There is room for all of them.
#[inline(always)]
pub(super) unsafe fn store<const ROWS: usize>(
    tile: [[v128; VECTORS]; ROWS],
    to: Strided<*mut u32>,
) {
    for (row, tile) in tile.into_iter().enumerate() {
        for (part, sum) in tile.into_iter().enumerate() {
            // SAFETY: the caller provides room for all rows.
            unsafe { v128_store(to.first.add(row * to.stride + part * 4).cast(), sum) }
        }
    }
}

/// Rows of a tile of integers.
#[inline(always)]
pub(super) fn tile_rows(sums: *mut i32) -> Strided<*mut u32> {
    Strided {
        first: sums.cast(),
        stride: 4 * VECTORS,
    }
}

/// # Safety
/// That of [`Isa::multiply_integers`](super::Isa::multiply_integers); the rows
/// are `ROWS`.
#[inline]
pub(super) unsafe fn integers<const ROWS: usize, const PAIRS: bool>(
    rows: Strided<*const Quantized>,
    weights: *const Weight,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
    let ones = if PAIRS {
        // Hidden from the compiler, which would make one instruction of both.
        std::hint::black_box(i16x8_splat(1))
    } else {
        i16x8_splat(1)
    };
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        let mut at = Place::<_, ROWS>::new(rows, weights);
        for _ in 0..groups {
            add_group::<ROWS, PAIRS>(&mut tile, &at, ones);
            at.advance(GROUP, VECTORS);
        }
        store(tile, tile_rows(sums));
    }
}

/// Two groups at a time, summed in 16 bits.
///
/// # Safety
/// That of [`Isa::multiply_narrow`](super::Isa::multiply_narrow); the rows are
/// `ROWS`.
#[cfg(target_feature = "relaxed-simd")]
#[inline]
pub(super) unsafe fn narrow_integers<const ROWS: usize>(
    rows: Strided<*const u8>,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    // By columns, in which order they are computed then: the weights of all columns, and
    // all sums, are more than there are registers.
    let mut tile = [[i32x4_splat(0); ROWS]; VECTORS];
    // Hidden from the compiler, which would choose another instruction.
    let ones = std::hint::black_box(i16x8_splat(1));
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        let mut at = Place::<_, ROWS>::new(rows, weights);
        for _ in 0..groups / 2 {
            let mut values = [[ones; 2]; ROWS];
            for (values, row) in values.iter_mut().zip(&at.rows) {
                let row = row.cast::<u32>();
                *values = [v128_load32_splat(row), v128_load32_splat(row.add(1))];
            }
            let next = at.weights.add(VECTORS);
            for (part, tile) in tile.iter_mut().enumerate() {
                let weights = [v128_load(at.weights.add(part)), v128_load(next.add(part))];
                for (sum, values) in tile.iter_mut().zip(values) {
                    let narrow = i16x8_add(
                        i16x8_relaxed_dot_i8x16_i7x16(weights[0], values[0]),
                        i16x8_relaxed_dot_i8x16_i7x16(weights[1], values[1]),
                    );
                    *sum = i32x4_add(*sum, i32x4_dot_i16x8(narrow, ones));
                }
            }
            at.advance(2 * GROUP, 2 * VECTORS);
        }
        let mut tile: [[v128; VECTORS]; ROWS] =
            std::array::from_fn(|row| std::array::from_fn(|part| tile[part][row]));
        if groups % 2 == 1 {
            add_group::<ROWS, true>(&mut tile, &at, ones);
        }
        store(tile, tile_rows(sums));
    }
}

/// Products of 16 bits, which are exact on all engines.
///
/// # Safety
/// That of [`Isa::multiply_wide`](super::Isa::multiply_wide); the rows are `ROWS`.
#[cfg(target_feature = "relaxed-simd")]
#[inline]
pub(super) unsafe fn wide_integers<const ROWS: usize>(
    rows: Strided<*const i16>,
    weights: *const i16,
    pairs: usize,
    sums: *mut i32,
) {
    let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
    // SAFETY: the caller provides all pairs, rows and columns.
    unsafe {
        let mut at = Place::<_, ROWS>::new(rows, weights);
        for _ in 0..pairs {
            let columns = at.columns();
            for (tile, row) in tile.iter_mut().zip(&at.rows) {
                let values = v128_load32_splat(row.cast());
                for (sum, weights) in tile.iter_mut().zip(columns) {
                    *sum = i32x4_add(*sum, i32x4_dot_i16x8(values, weights));
                }
            }
            at.advance(2, VECTORS);
        }
        store(tile, tile_rows(sums));
    }
}

/// # Safety
/// That of [`Isa::multiply_floats`](super::Isa::multiply_floats); the rows are
/// `ROWS`.
#[inline]
pub(super) unsafe fn floats<const ROWS: usize>(
    rows: Strided<*const f32>,
    panel: *const f32,
    depth: usize,
    sums: Strided<*mut f32>,
) {
    let mut tile = [[f32x4_splat(0.); VECTORS]; ROWS];
    // SAFETY: the caller provides all rows and columns to that depth.
    unsafe {
        let mut at = Place::<_, ROWS>::new(rows, panel);
        for _ in 0..depth {
            let columns = at.columns();
            for (tile, row) in tile.iter_mut().zip(&at.rows) {
                let factor = v128_load32_splat(row.cast());
                for (sum, values) in tile.iter_mut().zip(columns) {
                    *sum = multiply_add(*sum, factor, values);
                }
            }
            at.advance(1, VECTORS);
        }
        let sums = Strided {
            first: sums.first.cast(),
            stride: sums.stride,
        };
        store(tile, sums);
    }
}
