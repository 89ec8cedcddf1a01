//! Modules as configurations describe them.

use std::fmt;

use crate::activation::Activation;

/// A module behind the transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Module {
    /// A linear layer.
    Dense(Dense),
    /// L2 normalization of each row.
    Normalize,
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(dense) => {
                let Dense {
                    in_features,
                    out_features,
                    ..
                } = dense;
                write!(f, "Dense {in_features} to {out_features}")?;
                match dense.activation {
                    Activation::Identity => Ok(()),
                    activation => write!(f, ", {activation:?}"),
                }
            }
            Self::Normalize => f.write_str("Normalize"),
        }
    }
}

/// `activation(x · weightᵀ + bias)`, perhaps with `x` added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Dense {
    /// The folder of its files, for messages; empty for that of the model.
    pub folder: String,
    /// Where its tensors are: `linear.weight` of shape `[out_features,
    /// in_features]`, and, where there are such, `linear.bias` and
    /// `residual.weight`.
    pub weights: DenseWeights,
    /// Columns of its input.
    pub in_features: usize,
    /// Columns of its output.
    pub out_features: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// The function that is applied to the product.
    pub activation: Activation,
    /// What is added after that.
    pub residual: Residual,
}

/// Where the tensors of a Dense module are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum DenseWeights {
    /// In a safetensors file of its own, at this path.
    File(String),
    /// Among the transformer's.
    Transformer,
}

/// What a Dense module adds to its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Residual {
    /// Nothing.
    None,
    /// Its input.
    Input,
    /// Its input times `residual.weight`, of the shape of `linear.weight`.
    Projected,
}
