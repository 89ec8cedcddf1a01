//! Rounding of floats to integers.

/// Adding and subtracting `1.5 * 2^23` rounds to an integer.
pub(super) const ROUND: f32 = 12_582_912.;

/// Rounds to the nearest integer, ties to even, for magnitudes up to 2^22.
#[inline(always)]
pub(super) fn nearest(value: f32) -> i32 {
    let bits = (value + ROUND).to_bits();
    bits.wrapping_sub(ROUND.to_bits()) as i32
}
