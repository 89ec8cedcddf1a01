//! What changes scores between the product and the softmax: a cap, and a bias.

use std::ops::Range;

use super::super::exp::exp2;
use super::super::isa::{Isa, Vector};
use super::BiasForm;
use super::head::Head;

impl Head<'_> {
    /// Adds the bias of a row to its scores of the `visible` keys, which are base-2
    /// logarithms.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn add_bias(&self, row: usize, visible: &Range<usize>, scores: &mut [f32]) {
        let Some(bias) = &self.batch.bias else {
            return;
        };
        let length = self.batch.length;
        let head = if bias.heads == 1 { 0 } else { self.head };
        let first = match bias.form {
            BiasForm::Full => (head * length + row) * length,
            BiasForm::Relative => head * (2 * length - 1) + length - 1 - row,
        };
        let bias = &bias.values[first..][visible.clone()];
        for (score, bias) in scores.iter_mut().zip(bias) {
            *score += bias * std::f32::consts::LOG2_E;
        }
    }
}

/// Caps scores, base-2 logarithms in whole vectors: `cap * tanh(score / cap)` of
/// their natural logarithms.
#[inline(always)]
pub(super) fn cap_scores<I: Isa>(isa: I, scores: &mut [f32], cap: f32) {
    let exponent = isa.splat(-2. / cap);
    let cap = isa.splat(cap * std::f32::consts::LOG2_E);
    let (zero, one) = (isa.splat(0.), isa.splat(1.));
    for scores in scores.chunks_exact_mut(I::Vector::LANES) {
        // SAFETY: the chunk is a vector.
        unsafe {
            let score = isa.load(scores.as_ptr());
            let size = zero.sub(score).max(score);
            // tanh(x) = (1 - e^-2x) / (1 + e^-2x)
            let e = exp2(size.mul(exponent));
            let limit = one.sub(e).div(one.add(e)).mul(cap);
            let capped = zero.sub(limit).max(limit.min(score));
            capped.store(scores.as_mut_ptr());
        }
    }
}
