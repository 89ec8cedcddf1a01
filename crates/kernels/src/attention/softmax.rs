//! Softmax of a row of scores.

use std::ops::Range;

use super::super::exp::exp2;
use super::super::isa::{Isa, Vector};

/// Sets scores outside of `visible` to minus infinity, and those where `mask`,
/// which may be shorter, is 0.
#[inline(always)]
pub(super) fn mask_scores(scores: &mut [f32], visible: Range<usize>, mask: Option<&[i64]>) {
    if let Some(mask) = mask {
        for (score, &bit) in scores.iter_mut().zip(mask) {
            *score = if bit == 0 { f32::NEG_INFINITY } else { *score };
        }
    }
    scores[visible.end..].fill(f32::NEG_INFINITY);
    scores[..visible.start].fill(f32::NEG_INFINITY);
}

/// The maximum of pairs of vectors; minus infinity if all are NaN.
#[inline(always)]
pub(super) fn maximum<I: Isa>(isa: I, scores: &[f32]) -> f32 {
    assert!(scores.len().is_multiple_of(2 * I::Vector::LANES));
    // Two accumulators, so that steps do not wait for each other.
    let mut maxima = [isa.splat(f32::NEG_INFINITY); 2];
    for pair in (0..scores.len()).step_by(2 * I::Vector::LANES) {
        for (part, maximum) in maxima.iter_mut().enumerate() {
            // SAFETY: the assertion above makes pairs end within the scores.
            let score = unsafe { isa.load(scores.as_ptr().add(pair + part * I::Vector::LANES)) };
            *maximum = score.max(*maximum);
        }
    }
    maxima[0].max(maxima[1]).largest()
}

/// Replaces a row's scores, base-2 logarithms in whole panels, by the numerators of
/// their softmax, and returns its denominator; 0 if no key is visible. Scores
/// that [`mask_scores`] hides become 0.
#[inline(always)]
pub(super) fn softmax<I: Isa>(
    isa: I,
    scores: &mut [f32],
    visible: Range<usize>,
    mask: Option<&[i64]>,
) -> f32 {
    mask_scores(scores, visible, mask);
    assert!(scores.len().is_multiple_of(2 * I::Vector::LANES));
    // Two accumulators, so that steps do not wait for each other.
    let pairs = (0..scores.len()).step_by(2 * I::Vector::LANES);
    // SAFETY: the assertion above makes pairs end within the scores.
    let load = |scores: &[f32], at: usize| unsafe {
        let at = scores.as_ptr().add(at);
        [isa.load(at), isa.load(at.add(I::Vector::LANES))]
    };
    let maximum = maximum(isa, scores);
    if maximum == f32::NEG_INFINITY {
        // No key is visible, or all visible scores are NaN.
        let sum: f32 = scores.iter().filter(|score| score.is_nan()).sum();
        scores.fill(0.);
        return sum;
    }
    let maximum = isa.splat(maximum);
    let mut sums = [isa.splat(0.); 2];
    for at in pairs {
        let [left, right] = load(scores, at);
        let (left, right) = (exp2(left.sub(maximum)), exp2(right.sub(maximum)));
        sums = [sums[0].add(left), sums[1].add(right)];
        // SAFETY: the pair that was loaded.
        unsafe {
            let at = scores.as_mut_ptr().add(at);
            left.store(at);
            right.store(at.add(I::Vector::LANES));
        }
    }
    sums[0].add(sums[1]).sum()
}
