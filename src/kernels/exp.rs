//! Exponentials and what is made of them, so written that compilers vectorize
//! them.

use super::isa::Isa;

/// Below this, the result is less than any score can matter.
const LOWEST: f32 = -87.;
/// Adding and subtracting it rounds to whole numbers: 1.5 * 2^23.
pub(super) const ROUND: f32 = 12_582_912.;

/// `e^x` for `x <= 0`; within 2 units in the last place.
///
/// Cody and Waite's reduction to `|r| <= ln(2) / 2`, then the Taylor
/// polynomial of degree 7 there.
#[inline(always)]
pub(super) fn exp<I: Isa>(value: f32) -> f32 {
    let x = if value > LOWEST { value } else { LOWEST };
    let rounded = I::multiply_add(x, std::f32::consts::LOG2_E, ROUND);
    let power = rounded - ROUND;
    // ln(2) in two parts, the first exact in products with small integers.
    let r = I::multiply_add(power, -0.693_359_4, x);
    let r = I::multiply_add(power, 2.121_944_4e-4, r);
    let sum = 1. / 5_040.;
    let sum = I::multiply_add(sum, r, 1. / 720.);
    let sum = I::multiply_add(sum, r, 1. / 120.);
    let sum = I::multiply_add(sum, r, 1. / 24.);
    let sum = I::multiply_add(sum, r, 1. / 6.);
    let sum = I::multiply_add(sum, r, 0.5);
    let sum = I::multiply_add(sum, r, 1.);
    let sum = I::multiply_add(sum, r, 1.);
    // The whole number is in the last bits; 127 is the exponent of 1.
    let exponent = rounded
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127);
    let scale = f32::from_bits(exponent << 23);
    if value > LOWEST { sum * scale } else { 0. }
}

/// `erf(z) / z` is this rational function of `z^2` up to [`SATURATED`], within
/// 3e-8: a fit of its own, by weighted least squares at Chebyshev's nodes.
#[expect(clippy::approx_constant, reason = "fitted to what rounds around it")]
const ERF_OVER: [f32; 6] = [
    1.128_379_1,
    0.191_542_09,
    0.052_874_39,
    3.807_820_8e-3,
    2.846_816_2e-4,
    2.025_987_4e-6,
];
const ERF_UNDER: [f32; 6] = [
    1.,
    0.503_082_33,
    0.114_556_25,
    0.015_054_404,
    1.170_646_3e-3,
    3.783_232_4e-5,
];
/// From here on the error function is 1 in 32 bits.
const SATURATED: f32 = 3.95;

/// `x * (1 + erf(x / sqrt(2))) / 2`, Hendrycks and Gimpel, 2016; within
/// `2e-7 * max(1, |x|)`.
#[inline(always)]
pub(super) fn gelu<I: Isa>(x: f32) -> f32 {
    let z = clamp(x * std::f32::consts::FRAC_1_SQRT_2, SATURATED);
    let square = z * z;
    let sum = |terms: [f32; 6]| {
        let terms = terms.into_iter().rev();
        terms.fold(0., |sum, term| I::multiply_add(sum, square, term))
    };
    let erf = clamp(z * sum(ERF_OVER) / sum(ERF_UNDER), 1.);
    let half = 0.5 * x;
    I::multiply_add(half, erf, half)
}

/// Numbers beyond the limit, on either side, become it.
#[inline(always)]
fn clamp(value: f32, limit: f32) -> f32 {
    let value = if value < limit { value } else { limit };
    if value > -limit { value } else { -limit }
}

/// The approximation of [`gelu`] by a hyperbolic tangent.
#[inline(always)]
pub(super) fn gelu_tanh<I: Isa>(x: f32) -> f32 {
    // x * (1 + tanh(u)) / 2 = x / (1 + e^-2u)
    let twice = 2. * 0.797_884_6 * (x + 0.044_715 * x * x * x);
    let e = exp::<I>(-twice.abs());
    let share = if twice < 0. { e } else { 1. } / (1. + e);
    x * share
}

#[cfg(test)]
mod tests {
    use super::super::isa::Plain;
    use super::*;

    #[test]
    fn is_the_exponential_function() {
        for x in (0..=200_000).map(|at| at as f32 * -4.3e-4) {
            let (found, expected) = (exp::<Plain>(x), f64::from(x).exp());
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error <= 2.4e-7, "{x}: {found} {expected}");
        }
        assert_eq!([f32::NEG_INFINITY, -1e30, -87.1].map(exp::<Plain>), [0.; 3]);
    }

    /// The error function by its series, and its tail by a continued fraction
    /// (Abramowitz and Stegun, 7.1.6 and 7.1.14).
    fn erf(x: f64) -> f64 {
        if x.abs() > 3. {
            let z = x.abs();
            let fraction = (1..60)
                .rev()
                .fold(z, |sum, at| z + f64::from(at) / 2. / sum);
            let tail = (-z * z).exp() / fraction / std::f64::consts::PI.sqrt();
            return (1. - tail).copysign(x);
        }
        let (mut term, mut sum) = (x, x);
        for at in 1..100 {
            term *= 2. * x * x / f64::from(2 * at + 1);
            sum += term;
        }
        sum * 2. / std::f64::consts::PI.sqrt() * (-x * x).exp()
    }

    #[test]
    fn is_the_gaussian_error_linear_unit() {
        for x in (-40_000..=40_000).map(|at| at as f32 * 2.5e-4) {
            let wide = f64::from(x);
            let bound = 2e-7 * wide.abs().max(1.);
            let expected = 0.5 * wide * (1. + erf(wide * std::f64::consts::FRAC_1_SQRT_2));
            let found = f64::from(gelu::<Plain>(x));
            assert!((found - expected).abs() <= bound, "{x}: {found} {expected}");

            let inner = (2. / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            let expected = 0.5 * wide * (1. + inner.tanh());
            let found = f64::from(gelu_tanh::<Plain>(x));
            assert!(
                (found - expected).abs() <= 2. * bound,
                "{x}: {found} {expected}"
            );
        }
    }
}
