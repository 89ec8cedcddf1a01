//! How close an INT8 model is to the FP32 model, and has to be.

use multivec_core::fidelity::Cosines;
use multivec_core::{Error, Result};

/// Cosines between token vectors and those of the FP32 model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fidelity {
    /// The mean.
    pub mean: f64,
    /// The first percentile.
    pub p1: f64,
    /// The minimum.
    pub minimum: f64,
}

impl From<&Cosines> for Fidelity {
    fn from(cosines: &Cosines) -> Self {
        Self {
            mean: cosines.mean(),
            p1: cosines.percentile(1.),
            minimum: cosines.minimum(),
        }
    }
}

/// How close an INT8 model has to come to the FP32 model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FidelityTarget {
    /// The minimum of the mean cosine, below 1.
    pub mean: f64,
    /// The minimum of the first percentile, below 1.
    pub p1: f64,
}

impl Default for FidelityTarget {
    fn default() -> Self {
        Self::new(0.998, 0.996)
    }
}

impl FidelityTarget {
    /// A target of this mean and first percentile, -1 or more and less than 1.
    pub fn new(mean: f64, p1: f64) -> Self {
        Self { mean, p1 }
    }

    pub(super) fn check(self) -> Result<()> {
        for (name, value) in [("target.mean", self.mean), ("target.p1", self.p1)] {
            if !(-1. ..1.).contains(&value) {
                return Err(Error::option(name, "-1 or more, and less than 1", value));
            }
        }
        Ok(())
    }

    /// The loss in units of the allowed loss: the target is met up to 1.
    pub(super) fn loss(self, found: Fidelity) -> f64 {
        let mean = (1. - found.mean) / (1. - self.mean);
        let p1 = (1. - found.p1) / (1. - self.p1);
        mean.max(p1)
    }

    pub(super) fn is_met(self, found: Fidelity) -> bool {
        self.loss(found) <= 1.
    }
}
