//! Vectors of WebAssembly, two as one: engines make constants anew wherever they
//! are used, in three instructions each, which two vectors then share.

use std::arch::wasm32::*;
use std::array::from_fn;

use super::super::{MAX_LANES, Vector};

/// Vectors of 128 bits in one of ours.
const COUNT: usize = 2;

/// Eight floats. A module has vectors or does not load, so that they need no
/// proof.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Vectors(pub(super) [v128; COUNT]);

/// `sum + left * right`
#[inline(always)]
pub(super) fn multiply_add(sum: v128, left: v128, right: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(left, right, sum);
    #[cfg(not(target_feature = "relaxed-simd"))]
    return f32x4_add(sum, f32x4_mul(left, right));
}

impl Vectors {
    #[inline(always)]
    pub(super) fn new(value: f32) -> Self {
        Self([f32x4_splat(value); COUNT])
    }

    #[inline(always)]
    pub(super) fn from_parts(part: impl Fn(usize) -> v128) -> Self {
        Self(from_fn(part))
    }

    #[inline(always)]
    fn each(self, other: Self, of: impl Fn(v128, v128) -> v128) -> Self {
        Self(from_fn(|at| of(self.0[at], other.0[at])))
    }
}

impl Vector for Vectors {
    const LANES: usize = 4 * COUNT;

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        Self::new(value)
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        for (part, values) in self.0.into_iter().enumerate() {
            // SAFETY: the caller provides room for as many vectors.
            unsafe { v128_store(at.cast::<v128>().add(part), values) }
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_add(one, other))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_sub(one, other))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_mul(one, other))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_div(one, other))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(from_fn(|at| {
            multiply_add(sum.0[at], self.0[at], factor.0[at])
        }))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_pmax(other, one))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.each(other, |one, other| f32x4_pmin(other, one))
    }

    #[inline(always)]
    fn max_magnitude(self, maximum: Self) -> Self {
        self.each(maximum, |value, maximum| {
            i32x4_max(f32x4_abs(value), maximum)
        })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.map(|bits| i32x4_shl(bits, 23)))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let four = self
            .0
            .into_iter()
            .reduce(|one, other| f32x4_add(one, other));
        let four = four.unwrap_or(f32x4_splat(0.));
        let pair = f32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
        f32x4_extract_lane::<0>(pair) + f32x4_extract_lane::<1>(pair)
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        let [one, other] = self.0;
        let four = f32x4_pmax(other, one);
        let pair = f32x4_pmax(i32x4_shuffle::<2, 3, 2, 3>(four, four), four);
        f32x4_extract_lane::<0>(pair).max(f32x4_extract_lane::<1>(pair))
    }

    #[inline(always)]
    fn reduce_rows(rows: &[Self; MAX_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        // By halves of vectors first, then as a matrix is transposed.
        let halves: [Self; 4] = from_fn(|at| {
            let [Self(one), Self(other)] = [rows[2 * at], rows[2 * at + 1]];
            by(Self([one[0], other[0]]), Self([one[1], other[1]]))
        });
        let pairs: [Self; 2] = from_fn(|at| {
            let [Self(one), Self(other)] = [halves[2 * at], halves[2 * at + 1]];
            let low = [one, other].map(|[a, b]| i32x4_shuffle::<0, 4, 1, 5>(a, b));
            let high = [one, other].map(|[a, b]| i32x4_shuffle::<2, 6, 3, 7>(a, b));
            by(Self(low), Self(high))
        });
        let low = pairs.map(|Self([a, b])| i32x4_shuffle::<0, 1, 4, 5>(a, b));
        let high = pairs.map(|Self([a, b])| i32x4_shuffle::<2, 3, 6, 7>(a, b));
        by(Self(low), Self(high))
    }
}
