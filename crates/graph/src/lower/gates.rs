//! Two layers whose outputs are multiplied, packed as a gated one.

use super::layer::LoadedLayer;
use multivec_kernels::Activation;

impl LoadedLayer {
    /// Joins a layer with an activation function and the one that its output is
    /// multiplied by. `None` if they differ in more than weights, scales, zero
    /// points and bias.
    pub(super) fn gated(mut activated: Self, factor: Self) -> Option<Self> {
        let Activation::Each(function) = activated.activation else {
            return None;
        };
        activated.activation = Activation::NONE;
        let is_halved = activated.outer == factor.outer;
        let joined = Self::join(&[activated, factor]).filter(|_| is_halved)?;
        Some(Self {
            activation: Activation::Gated(function),
            ..joined
        })
    }
}
