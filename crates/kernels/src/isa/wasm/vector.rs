//! Vectors of WebAssembly, several as one: engines make constants anew wherever
//! they are used, in three instructions each, so that one alone is dear.

use std::arch::wasm32::*;
use std::array::from_fn;

use super::super::{MOST_LANES, Vector};

/// How many.
const COUNT: usize = 2;

#[derive(Clone, Copy)]
pub(in super::super) struct Vectors(pub(super) [v128; COUNT]);

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
    fn each(self, other: Self, of: impl Fn(v128, v128) -> v128) -> Self {
        Self(from_fn(|at| of(self.0[at], other.0[at])))
    }
}

impl Vector for Vectors {
    const LANES: usize = 4 * COUNT;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([f32x4_splat(value); COUNT])
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(from_fn(|part| unsafe {
            v128_load(at.cast::<v128>().add(part))
        }))
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        for (part, values) in self.0.into_iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { v128_store(at.cast::<v128>().add(part), values) }
        }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        let zero = i32x4_splat(zero);
        Self(from_fn(|part| {
            // SAFETY: the caller's.
            let (sum, other) = unsafe {
                let others = others.cast::<v128>().add(part);
                (v128_load(at.cast::<v128>().add(part)), v128_load(others))
            };
            f32x4_convert_i32x4(i32x4_sub(sum, i32x4_mul(zero, other)))
        }))
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        Self(from_fn(|part| {
            // SAFETY: the caller's.
            f32x4_convert_i32x4(unsafe { v128_load(at.cast::<v128>().add(part)) })
        }))
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
    fn magnitude(self, before: Self) -> Self {
        self.each(before, |value, before| i32x4_max(f32x4_abs(value), before))
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
    fn across(rows: &[Self; MOST_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        // By halves of vectors first, then as a matrix is turned.
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
