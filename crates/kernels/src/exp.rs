//! Exponentials, and activation functions by way of them.

use super::isa::Vector;
use super::rounding::ROUND;

/// `2^x` is flushed to 0 here and below.
const LOWEST: f32 = -127.;
/// Exponent bias of `f32`.
const BIAS: f32 = 127.;

/// Coefficients `c` of `2^r = 1 + r * (c[0] + c[1] * r + ..)` for `|r| <= 1/2`,
/// within 2e-9: fitted for this crate by reweighted least squares, which
/// minimizes the largest error.
#[expect(clippy::approx_constant, reason = "fitted to the rounding around it")]
const POWER: [f32; 6] = [
    0.693_147_2,
    0.240_226_48,
    0.055_503_324,
    0.009_618_437,
    0.001_339_887_4,
    0.000_153_533_62,
];

/// Splits an exponent into the nearest integer, with `ROUND + BIAS` added, and
/// the rest.
#[inline(always)]
fn split<V: Vector>(value: V) -> (V, V) {
    let x = value.splat(LOWEST).max(value);
    let round = value.splat(ROUND + BIAS);
    let rounded = x.add(round);
    (rounded, x.sub(rounded.sub(round)))
}

/// `2^x` for `x <= 0`, within 2 units in the last place. NaN stays NaN.
#[inline(always)]
pub(super) fn exp2<V: Vector>(value: V) -> V {
    let (rounded, r) = split(value);
    let sum = polynomial(POWER, [r])[0].mul_add(r, r.splat(1.));
    sum.mul(rounded.power_of_two())
}

/// [`POWER`] with fewer terms, within 1.1e-4.
const ROUGH_POWER: [f32; 3] = [0.693_282_9, 0.242_210_97, 0.055_008_93];

/// `2^x` for `x <= 0` within a relative error of 1.2e-4, for results that are
/// quantized to 8 bits.
#[inline(always)]
pub(super) fn rough_exp2<V: Vector>(value: V) -> V {
    let (rounded, r) = split(value);
    let sum = polynomial(ROUGH_POWER, [r])[0].mul_add(r, r.splat(1.));
    sum.mul(rounded.power_of_two())
}

/// Evaluates a polynomial, the constant term first, on several vectors: steps of
/// different vectors do not wait for each other.
#[inline(always)]
fn polynomial<V: Vector, const TERMS: usize, const COUNT: usize>(
    terms: [f32; TERMS],
    x: [V; COUNT],
) -> [V; COUNT] {
    let mut sums = [x[0].splat(terms[TERMS - 1]); COUNT];
    for term in (0..TERMS - 1).rev() {
        let term = x[0].splat(terms[term]);
        for at in 0..COUNT {
            sums[at] = sums[at].mul_add(x[at], term);
        }
    }
    sums
}

/// Numerator of a rational function of `z^2` that is `erf(z) / z` up to
/// [`SATURATED`], within 3e-8: fitted for this crate by weighted least squares at
/// Chebyshev nodes.
#[expect(clippy::approx_constant, reason = "fitted to the rounding around it")]
const ERF_NUMERATOR: [f32; 6] = [
    1.128_379_1,
    0.191_542_09,
    0.052_874_39,
    3.807_820_8e-3,
    2.846_816_2e-4,
    2.025_987_4e-6,
];
/// Its denominator.
const ERF_DENOMINATOR: [f32; 6] = [
    1.,
    0.503_082_33,
    0.114_556_25,
    0.015_054_404,
    1.170_646_3e-3,
    3.783_232_4e-5,
];
/// From here on, the error function is 1 as an `f32`.
const SATURATED: f32 = 3.95;

/// The Gaussian error linear unit, `x * (1 + erf(x / sqrt(2))) / 2` (Hendrycks and
/// Gimpel, 2016), within `2e-7 * max(1, |x|)`.
#[inline(always)]
pub(super) fn gelu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    let mut results = x;
    for at in 0..COUNT {
        let x = x[at];
        let z = clamp(x.mul(x.splat(std::f32::consts::FRAC_1_SQRT_2)), SATURATED);
        let square = z.mul(z);
        let erf = z.mul(polynomial(ERF_NUMERATOR, [square])[0]);
        let erf = clamp(erf.div(polynomial(ERF_DENOMINATOR, [square])[0]), 1.);
        let half = x.mul(x.splat(0.5));
        results[at] = half.mul_add(erf, half);
    }
    results
}

/// Clamps to `-limit..=limit`. NaN stays NaN.
#[inline(always)]
fn clamp<V: Vector>(value: V, limit: f32) -> V {
    value.splat(-limit).max(value.splat(limit).min(value))
}

/// [`gelu`] approximated with a hyperbolic tangent.
#[inline(always)]
pub(super) fn gelu_tanh<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    let mut results = x;
    for at in 0..COUNT {
        let x = x[at];
        let cube = x.mul(x).mul(x);
        // x * (1 + tanh(u)) / 2 = x * sigmoid(2 * u)
        let twice = cube
            .mul_add(x.splat(0.044_715), x)
            .mul(x.splat(2. * 0.797_884_6));
        results[at] = times_sigmoid::<_, false>(x, twice);
    }
    results
}

/// The sigmoid linear unit, `x * sigmoid(x)` (Elfwing et al., 2017), within
/// `2e-7 * max(1, |x|)`.
#[inline(always)]
pub(super) fn silu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    swish::<_, COUNT, false>(x, 1.)
}

/// [`silu`] within `3e-5 * max(1, |x|)`.
#[inline(always)]
pub(super) fn rough_silu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    swish::<_, COUNT, true>(x, 1.)
}

/// The slope with which [`quick_gelu`] is close to [`gelu`].
const QUICK_SLOPE: f32 = 1.702;

/// [`gelu`] approximated with a sigmoid, `x * sigmoid(1.702 * x)` (Hendrycks and
/// Gimpel, 2016), with the error of [`silu`].
#[inline(always)]
pub(super) fn quick_gelu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    swish::<_, COUNT, false>(x, QUICK_SLOPE)
}

/// [`quick_gelu`] with the error of [`rough_silu`].
#[inline(always)]
pub(super) fn rough_quick_gelu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    swish::<_, COUNT, true>(x, QUICK_SLOPE)
}

/// `x * sigmoid(slope * x)`
#[inline(always)]
fn swish<V: Vector, const COUNT: usize, const ROUGH: bool>(
    x: [V; COUNT],
    slope: f32,
) -> [V; COUNT] {
    let mut results = x;
    for at in 0..COUNT {
        results[at] = times_sigmoid::<_, ROUGH>(x[at], x[at].mul(x[at].splat(slope)));
    }
    results
}

/// `x * sigmoid(z)`, where `z` has the sign of `x`.
#[inline(always)]
fn times_sigmoid<V: Vector, const ROUGH: bool>(x: V, z: V) -> V {
    let size = z.max(z.splat(0.).sub(z));
    let exponent = size.mul(z.splat(-std::f32::consts::LOG2_E));
    let e = if ROUGH {
        rough_exp2(exponent)
    } else {
        exp2(exponent)
    };
    let share = x.div(x.splat(1.).add(e));
    // The result is `x / (1 + e)` above 0, and `x * e / (1 + e)` below.
    let above = x.splat(0.).max(share);
    let below = x.splat(0.).min(share);
    below.mul_add(e, above)
}

/// `max(x, 0)`. NaN stays NaN.
#[inline(always)]
pub(super) fn relu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    x.map(|x| x.splat(0.).max(x))
}

/// `max(x, 0)^2`
#[inline(always)]
pub(super) fn relu_squared<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    relu(x).map(|x| x.mul(x))
}

/// A polynomial of `x^2` that approximates `(gelu(x) / x - 1/2) / x` up to a limit.
/// It takes half as long as [`gelu`], and no division.
///
/// Fitted for this crate by linear programming, for the least error of
/// `gelu(x) / max(1, |x|)`. At the limit its value times the limit is 4e-6 more
/// than 1/2.
struct RoughFit {
    limit: f32,
    terms: [f32; 8],
}

const ROUGH_GELU: RoughFit = RoughFit {
    limit: 4.08,
    terms: [
        0.398_726_2,
        -0.065_953_74,
        9.527_94e-3,
        -1.008_653e-3,
        7.465_082e-5,
        -3.604_794e-6,
        1.007_636_6e-7,
        -1.226_109_7e-9,
    ],
};

const ROUGH_GELU_TANH: RoughFit = RoughFit {
    limit: 3.96,
    terms: [
        0.398_735,
        -0.066_292_524,
        9.758_579e-3,
        -1.069_380_1e-3,
        8.286_635e-5,
        -4.213_405_7e-6,
        1.242_350_3e-7,
        -1.594_571_9e-9,
    ],
};

/// [`gelu`] within `3e-5 * max(1, |x|)`, for inputs whose quantization error is
/// larger than that.
#[inline(always)]
pub(super) fn rough_gelu<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    rough(x, ROUGH_GELU)
}

/// [`gelu_tanh`] with the error of [`rough_gelu`].
#[inline(always)]
pub(super) fn rough_gelu_tanh<V: Vector, const COUNT: usize>(x: [V; COUNT]) -> [V; COUNT] {
    rough(x, ROUGH_GELU_TANH)
}

#[inline(always)]
fn rough<V: Vector, const COUNT: usize>(x: [V; COUNT], fit: RoughFit) -> [V; COUNT] {
    let (mut z, mut squares, mut results) = (x, x, x);
    for at in 0..COUNT {
        z[at] = clamp(x[at], fit.limit);
        squares[at] = z[at].mul(z[at]);
    }
    let factors = polynomial(fit.terms, squares);
    let (zero, half) = (x[0].splat(0.), x[0].splat(0.5));
    for at in 0..COUNT {
        // Slightly below 0 at the lower limit.
        let factor = zero.max(factors[at].mul_add(z[at], half));
        results[at] = x[at].mul(factor);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_matches_the_definition() {
        for x in (0..=200_000).map(|at| at as f32 * -6.3e-4) {
            let (found, expected) = (exp2(x), f64::from(x).exp2());
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error <= 2.4e-7, "{x}: {found} {expected}");
            let error = (f64::from(rough_exp2(x)) - expected).abs() / expected;
            assert!(error <= 1.2e-4, "{x}: {error}");
        }
        assert_eq!([f32::NEG_INFINITY, -1e30, -127.].map(exp2), [0.; 3]);
        assert!(exp2(f32::NAN).is_nan());
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
    fn gelu_matches_the_definition() {
        for x in (-40_000..=40_000).map(|at| at as f32 * 2.5e-4) {
            let wide = f64::from(x);
            let bound = 2e-7 * wide.abs().max(1.);
            let expected = 0.5 * wide * (1. + erf(wide * std::f64::consts::FRAC_1_SQRT_2));
            let found = f64::from(gelu([x])[0]);
            assert!((found - expected).abs() <= bound, "{x}: {found} {expected}");
            let (found, rough_bound) = (f64::from(rough_gelu([x])[0]), 150. * bound);
            assert!((found - expected).abs() <= rough_bound, "{x}: {found}");

            let inner = (2. / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            let expected = 0.5 * wide * (1. + inner.tanh());
            let found = f64::from(gelu_tanh([x])[0]);
            assert!(
                (found - expected).abs() <= 2. * bound,
                "{x}: {found} {expected}"
            );
            let found = f64::from(rough_gelu_tanh([x])[0]);
            assert!((found - expected).abs() <= rough_bound, "{x}: {found}");
        }
        for rough in [rough_gelu, rough_gelu_tanh] {
            let rough = |x: f32| rough([x])[0];
            // The error of the fit does not grow beyond the limit.
            assert!((rough(1e6) - 1e6).abs() <= 8. && rough(-1e6) == 0.);
            assert!(rough(f32::NAN).is_nan());
        }
    }

    #[test]
    fn sigmoid_functions_match_the_definition() {
        for x in (-40_000..=40_000).map(|at| at as f32 * 2.5e-3) {
            let wide = f64::from(x);
            let bound = 2e-7 * wide.abs().max(1.);
            for (slope, found, rough) in [
                (1., silu([x])[0], rough_silu([x])[0]),
                (1.702, quick_gelu([x])[0], rough_quick_gelu([x])[0]),
            ] {
                let expected = wide / (1. + (-slope * wide).exp());
                let [found, rough] = [found, rough].map(f64::from);
                assert!((found - expected).abs() <= bound, "{x}: {found} {expected}");
                assert!((rough - expected).abs() <= 150. * bound, "{x}: {rough}");
            }
        }
        for function in [silu, rough_silu, quick_gelu, rough_quick_gelu] {
            let function = |x: f32| function([x])[0];
            assert_eq!(
                [1e6, -1e6, f32::INFINITY].map(function),
                [1e6, 0., f32::INFINITY]
            );
            assert!(function(f32::NAN).is_nan());
        }
    }

    #[test]
    fn rectified_values_match_the_definition() {
        let inputs = [-1e6f32, -0.5, 0., 0.5, 3., f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(relu(inputs), [0., 0., 0., 0.5, 3., f32::INFINITY, 0.]);
        let squared = [0., 0., 0., 0.25, 9., f32::INFINITY, 0.];
        assert_eq!(relu_squared(inputs), squared);
        assert!(relu([f32::NAN])[0].is_nan() && relu_squared([f32::NAN])[0].is_nan());
    }
}
