//! From scores to weights.

use std::ops::Range;

use super::super::exp::exp2;
use super::super::isa::{Isa, Vector};

/// Brings scores outside of `visible`, and those where `holes`, which may be
/// shorter, has 0, to minus infinity.
#[inline(always)]
pub(super) fn hide(scores: &mut [f32], visible: Range<usize>, holes: Option<&[i64]>) {
    if let Some(holes) = holes {
        for (score, &seen) in scores.iter_mut().zip(holes) {
            *score = if seen == 0 { f32::NEG_INFINITY } else { *score };
        }
    }
    scores[visible.end..].fill(f32::NEG_INFINITY);
    scores[..visible.start].fill(f32::NEG_INFINITY);
}

/// The largest of scores, of which there are pairs of vectors; minus infinity
/// if none is a number.
#[inline(always)]
pub(super) fn largest<V: Vector>(scores: &[f32]) -> f32 {
    assert!(scores.len().is_multiple_of(2 * V::LANES));
    // Two at a time, so that no step waits for the one before.
    let mut tops = [V::splat(f32::NEG_INFINITY); 2];
    for pair in (0..scores.len()).step_by(2 * V::LANES) {
        for (part, top) in tops.iter_mut().enumerate() {
            // SAFETY: pairs are within the scores, which are whole ones.
            let score = unsafe { V::load(scores.as_ptr().add(pair + part * V::LANES)) };
            *top = score.max(*top);
        }
    }
    tops[0].max(tops[1]).largest()
}

/// Makes weights of a row's scores, which are logarithms to base 2 and come in
/// whole panels, and returns their sum; 0 if none is seen. Those that are
/// hidden, see [`hide`], become 0.
#[inline(always)]
pub(super) fn softmax<I: Isa>(
    scores: &mut [f32],
    visible: Range<usize>,
    holes: Option<&[i64]>,
) -> f32 {
    hide(scores, visible, holes);
    assert!(scores.len().is_multiple_of(2 * I::Vector::LANES));
    // Two at a time, so that no step waits for the one before.
    let pairs = (0..scores.len()).step_by(2 * I::Vector::LANES);
    // SAFETY: pairs are within the scores, which are whole ones.
    let load = |scores: &[f32], at: usize| unsafe {
        let at = scores.as_ptr().add(at);
        [
            I::Vector::load(at),
            I::Vector::load(at.add(I::Vector::LANES)),
        ]
    };
    let top = largest::<I::Vector>(scores);
    if top == f32::NEG_INFINITY {
        // None is seen, or what is seen is not a number.
        let sum: f32 = scores.iter().filter(|score| score.is_nan()).sum();
        scores.fill(0.);
        return sum;
    }
    let top = I::Vector::splat(top);
    let mut sums = [I::Vector::splat(0.); 2];
    for at in pairs {
        let [one, other] = load(scores, at);
        let (one, other) = (exp2(one.sub(top)), exp2(other.sub(top)));
        sums = [sums[0].add(one), sums[1].add(other)];
        // SAFETY: as above.
        unsafe {
            let at = scores.as_mut_ptr().add(at);
            one.store(at);
            other.store(at.add(I::Vector::LANES));
        }
    }
    sums[0].add(sums[1]).sum()
}
