//! RMS norms of the heads of queries and keys.

use ndarray::{Array4, Axis};

/// A norm of heads: the value of its scale, and what is added to the mean of the
/// squares.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadNorm {
    pub(super) scale: String,
    pub(super) epsilon: f32,
}

/// A norm with the numbers of its scale.
pub(super) struct KnownNorm {
    pub(super) norm: HeadNorm,
    pub(super) scale: Vec<f32>,
}

impl KnownNorm {
    /// Normalizes heads, `[batch, heads, length, columns]`:
    /// `x / sqrt(mean(x^2) + epsilon) * scale`.
    pub(super) fn apply(&self, heads: &mut Array4<f32>) {
        for mut row in heads.lanes_mut(Axis(3)) {
            let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let mean = squares / row.len() as f64;
            let inverse = (mean + f64::from(self.norm.epsilon)).sqrt().recip();
            for (x, scale) in row.iter_mut().zip(&self.scale) {
                *x = (f64::from(*x) * inverse * f64::from(*scale)) as f32;
            }
        }
    }
}
