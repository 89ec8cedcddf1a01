//! The exponential function, so written that compilers vectorize it.

/// Below this, the result is less than any score can matter.
const LOWEST: f32 = -87.;
/// Adding and subtracting it rounds to whole numbers: 1.5 * 2^23.
const ROUND: f32 = 12_582_912.;

/// `e^x` in place, for `x <= 0`; within 2 units in the last place.
///
/// Cody and Waite's reduction to `|r| <= ln(2) / 2`, then the Taylor
/// polynomial of degree 7 there.
pub(super) fn exp_in_place(values: &mut [f32]) {
    for value in values {
        let x = if *value > LOWEST { *value } else { LOWEST };
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let power = rounded - ROUND;
        // ln(2) in two parts, the first exact in products with small integers.
        let r = x - power * 0.693_359_4 + power * 2.121_944_4e-4;
        let sum = 1. / 5_040.;
        let sum = sum * r + 1. / 720.;
        let sum = sum * r + 1. / 120.;
        let sum = sum * r + 1. / 24.;
        let sum = sum * r + 1. / 6.;
        let sum = sum * r + 0.5;
        let sum = sum * r + 1.;
        let sum = sum * r + 1.;
        // The whole number is in the last bits; 127 is the exponent of 1.
        let exponent = rounded
            .to_bits()
            .wrapping_sub(ROUND.to_bits())
            .wrapping_add(127);
        let scale = f32::from_bits(exponent << 23);
        *value = if *value > LOWEST { sum * scale } else { 0. };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_exponential_function() {
        let inputs: Vec<f32> = (0..=200_000).map(|at| at as f32 * -4.3e-4).collect();
        let mut found = inputs.clone();
        exp_in_place(&mut found);
        for (x, found) in inputs.iter().zip(&found) {
            let expected = f64::from(*x).exp();
            let error = (f64::from(*found) - expected).abs() / expected;
            assert!(error <= 2.4e-7, "{x}: {found} {expected}");
        }
        let mut far = [f32::NEG_INFINITY, -1e30, -87.1];
        exp_in_place(&mut far);
        assert_eq!(far, [0.; 3]);
    }
}
