//! Activation functions.

/// An activation function, as `torch.nn` defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Activation {
    /// None.
    Identity,
    /// The hyperbolic tangent.
    Tanh,
    /// GELU with the error function.
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`.
    Silu,
    /// The logistic function.
    Sigmoid,
}

impl Activation {
    /// Its value at `x`.
    pub(crate) fn apply(self, x: f32) -> f32 {
        let sigmoid = |x: f32| 1. / (1. + (-x).exp());
        match self {
            Self::Identity => x,
            Self::Tanh => x.tanh(),
            Self::Gelu => 0.5 * x * (1. + multivec_graph::erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Self::Relu => x.max(0.),
            Self::Silu => x * sigmoid(x),
            Self::Sigmoid => sigmoid(x),
        }
    }
}
