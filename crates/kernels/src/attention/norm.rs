//! RMS normalization of a head's row.

use super::super::isa::{Isa, Vector};
use super::HeadNorm;

/// Normalizes the row of a head.
#[inline(always)]
pub(super) fn normalize<I: Isa>(isa: I, norm: &HeadNorm<'_>, row: &mut [f32]) {
    let lanes = I::Vector::LANES;
    let mut squares = isa.splat(0.);
    for chunk in row.chunks_exact(lanes) {
        // SAFETY: the chunk is a vector.
        let value = unsafe { isa.load(chunk.as_ptr()) };
        squares = value.mul_add(value, squares);
    }
    let rest = &row[row.len() - row.len() % lanes..];
    let squares = squares.sum() + rest.iter().map(|value| value * value).sum::<f32>();
    let inverse = 1. / (squares / row.len() as f32 + norm.epsilon).sqrt();
    for (value, scale) in row.iter_mut().zip(norm.scale) {
        *value *= inverse * scale;
    }
}
