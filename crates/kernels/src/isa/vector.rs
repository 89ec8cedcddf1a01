//! Vectors of floats, as wide as an instruction set has them.

use super::MAX_LANES;

/// The floats that one instruction works on.
///
/// Vectors are made from the token of an instruction set, see
/// [`Isa`](super::Isa), or from others, so that each value proves that the
/// machine has the instructions. Methods are inlined into functions that are
/// compiled for the instruction set; they are slow elsewhere.
pub(in super::super) trait Vector: Copy {
    /// Floats in a vector.
    const LANES: usize;

    /// A vector of the same type with `value` in each lane.
    fn splat(self, value: f32) -> Self;

    /// # Safety
    /// `at` has room for [`LANES`](Self::LANES) floats.
    unsafe fn store(self, at: *mut f32);

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;

    /// `self * factor + sum`, rounded once where there is an instruction for
    /// it.
    fn mul_add(self, factor: Self, sum: Self) -> Self;

    /// The larger one; `other` if either is NaN.
    fn max(self, other: Self) -> Self;

    /// The smaller one; `other` if either is NaN.
    fn min(self, other: Self) -> Self;

    /// The larger of `|self|` and `maximum`, which is not negative; NaN counts
    /// as larger than all numbers.
    fn max_magnitude(self, maximum: Self) -> Self;

    /// `2^(n - 127)` for integers `n` in `0..=254` to which
    /// [`ROUND`](super::super::rounding::ROUND) was added; 0 for `n = 0`.
    fn power_of_two(self) -> Self;

    /// The sum of all lanes.
    fn sum(self) -> f32;

    /// The maximum of all lanes.
    fn largest(self) -> f32;

    /// Reduces each of the first [`LANES`](Self::LANES) vectors to a scalar, and
    /// returns these as a vector. The result of `by` must not depend on order.
    fn reduce_rows(rows: &[Self; MAX_LANES], by: impl Fn(Self, Self) -> Self) -> Self;
}

/// Methods of vectors that are a single instruction.
#[allow(unused_macros, reason = "plain Rust and WebAssembly have other ways")]
macro_rules! instructions {
    ($($name:ident($($argument:ident),*) = $instruction:expr;)+) => {
        $(
            #[inline(always)]
            fn $name(self, $($argument: Self),*) -> Self {
                // SAFETY: vectors are made from a token of the instruction set,
                // so that the machine has it.
                Self(unsafe { $instruction(self.0, $($argument.0),*) })
            }
        )+
    };
}

/// A vector of one float, which needs no particular instructions.
impl Vector for f32 {
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        value
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller provides room for a float.
        unsafe { *at = self }
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
    fn max_magnitude(self, maximum: Self) -> Self {
        f32::from_bits(self.abs().to_bits().max(maximum.to_bits()))
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
    fn reduce_rows(rows: &[Self; MAX_LANES], _: impl Fn(Self, Self) -> Self) -> Self {
        rows[0]
    }
}
