//! A setting shared by all layers of a backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Granularity;

/// The [`Granularity`] of quantized activations in all layers of a backend.
///
/// It is [`Granularity::Row`] at first, and can be changed at any time, such as to
/// compare a fused graph with the original, which has a scale per tensor. Clones
/// share the setting.
#[derive(Clone, Debug, Default)]
pub struct SharedGranularity(Arc<AtomicBool>);

impl SharedGranularity {
    /// Sets the granularity from now on.
    pub fn set(&self, granularity: Granularity) {
        let by_tensor = granularity == Granularity::Tensor;
        self.0.store(by_tensor, Ordering::Relaxed);
    }

    /// The current granularity.
    pub fn get(&self) -> Granularity {
        if self.0.load(Ordering::Relaxed) {
            Granularity::Tensor
        } else {
            Granularity::Row
        }
    }
}
