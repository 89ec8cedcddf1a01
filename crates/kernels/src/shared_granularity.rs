//! A setting that operators of a backend share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Granularity;

/// What shares a scale of quantized activations, in all layers of a backend.
///
/// Rows have their own at first. To compare a fused graph with a published
/// one, which has a scale for each tensor, it can be changed at any time;
/// clones change together.
#[derive(Clone, Debug, Default)]
pub struct SharedGranularity(Arc<AtomicBool>);

impl SharedGranularity {
    /// Quantizes activations in this way from now on.
    pub fn set(&self, granularity: Granularity) {
        let by_tensor = granularity == Granularity::Tensor;
        self.0.store(by_tensor, Ordering::Relaxed);
    }

    /// How activations are quantized.
    pub fn get(&self) -> Granularity {
        match self.0.load(Ordering::Relaxed) {
            true => Granularity::Tensor,
            false => Granularity::Row,
        }
    }
}
