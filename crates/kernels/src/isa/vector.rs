//! Vectors of floats, as wide as an instruction set has them.

use super::MOST_LANES;

/// So many floats as one instruction works on.
///
/// Methods are inlined into functions that are compiled for the instruction
/// set; to call them elsewhere is slow, and right where its instructions are.
pub(in super::super) trait Vector: Copy {
    /// Floats in a vector.
    const LANES: usize;

    fn splat(value: f32) -> Self;

    /// # Safety
    /// There are [`LANES`](Self::LANES) floats to be read.
    unsafe fn load(at: *const f32) -> Self;

    /// # Safety
    /// There is room for [`LANES`](Self::LANES) floats.
    unsafe fn store(self, at: *mut f32);

    /// Integers less `zero` times others, as floats.
    ///
    /// # Safety
    /// There are [`LANES`](Self::LANES) integers of each to be read.
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self;

    /// Integers as floats.
    ///
    /// # Safety
    /// There are [`LANES`](Self::LANES) integers to be read.
    unsafe fn from_plain_integers(at: *const i32) -> Self;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;

    /// `self * factor + sum`, rounded once where there is an instruction for
    /// it.
    fn mul_add(self, factor: Self, sum: Self) -> Self;

    /// The larger one; `other` if either is not a number.
    fn max(self, other: Self) -> Self;

    /// The smaller one; `other` if either is not a number.
    fn min(self, other: Self) -> Self;

    /// The larger magnitude, of which the one before is one already; what is not
    /// a number is larger than all.
    fn magnitude(self, before: Self) -> Self;

    /// `2^(n - 127)` for whole numbers `n` from 0, which makes 0, to 254, that
    /// [`ROUND`](super::super::exp::ROUND) was added to.
    fn power_of_two(self) -> Self;

    /// The sum of all.
    fn sum(self) -> f32;

    /// The largest of all.
    fn largest(self) -> f32;

    /// Brings the floats of each vector to one by `by`, which gives the same in
    /// any order, for the first [`LANES`](Self::LANES) of them: a float each.
    fn across(rows: &[Self; MOST_LANES], by: impl Fn(Self, Self) -> Self) -> Self;
}

/// A vector of one.
impl Vector for f32 {
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        value
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { *at }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller's.
        unsafe { *at = self }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { (*at - zero * *others) as f32 }
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { *at as f32 }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self / other
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        self * factor + sum
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn magnitude(self, before: Self) -> Self {
        f32::from_bits(self.abs().to_bits().max(before.to_bits()))
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        f32::from_bits(self.to_bits() << 23)
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        self
    }

    #[inline(always)]
    fn across(rows: &[Self; MOST_LANES], _: impl Fn(Self, Self) -> Self) -> Self {
        rows[0]
    }
}
