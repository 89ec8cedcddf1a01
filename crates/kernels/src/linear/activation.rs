//! Activation functions of linear layers.

use std::fmt;

/// A function of each value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Function {
    /// `x`
    #[default]
    Identity,
    /// Gaussian error linear unit, `x * (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `x * sigmoid(x)`
    Silu,
    /// `x * sigmoid(1.702 * x)`
    QuickGelu,
    /// `max(x, 0)`
    Relu,
    /// `max(x, 0)^2`
    ReluSquared,
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Gelu,
        Self::GeluTanh,
        Self::Silu,
        Self::QuickGelu,
        Self::Relu,
        Self::ReluSquared,
    ];

    /// Its name in fused graphs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "none",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Silu => "silu",
            Self::QuickGelu => "quick_gelu",
            Self::Relu => "relu",
            Self::ReluSquared => "relu_squared",
        }
    }

    /// The function of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }
}

/// What a linear layer does with its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The function of each.
    Each(Function),
    /// `function(left) * right`, where `left` is the first half of the columns
    /// and `right` the second.
    Gated(Function),
}

/// What names of gated activations start with.
const GATED: &str = "gated_";

impl Activation {
    /// The identity.
    pub const NONE: Self = Self::Each(Function::Identity);

    /// Whether two columns of the product make one column of the output.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::Gated(_))
    }

    /// The activation of that name: the function's, after `gated_` in gated
    /// layers.
    pub fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix(GATED) {
            Some(name) => Function::parse(name).map(Self::Gated),
            None => Function::parse(name).map(Self::Each),
        }
    }
}

impl Default for Activation {
    fn default() -> Self {
        Self::NONE
    }
}

/// The name that [`Activation::parse`] reads.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each(function) => f.write_str(function.name()),
            Self::Gated(function) => write!(f, "{GATED}{}", function.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for function in Function::ALL {
            for activation in [Activation::Each(function), Activation::Gated(function)] {
                let name = activation.to_string();
                assert_eq!(Activation::parse(&name), Some(activation), "{name}");
            }
        }
        assert_eq!(Activation::parse("gated_gated_gelu"), None);
        assert_eq!(Activation::parse("mish"), None);
    }
}
