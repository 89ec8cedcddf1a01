//! One vector for each text.

mod layers;
mod pooling;
mod quantize;

pub(crate) use layers::{Layer, LayerResidual, Layers};
pub use pooling::{PromptTokens, SentencePooling, TokenPooling};
pub use quantize::{Int8Ranges, to_binary, to_f16, to_int8};

use crate::error::{Error, Result};
use crate::tokenize::Truncation;

/// The embedding of one text, `[dim]`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DenseEmbedding {
    /// The vector.
    pub values: Vec<f32>,
    /// How much of the text was cut off; `None` for stored vectors.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub truncation: Option<Truncation>,
}

/// How two dense vectors are compared.
///
/// Source: sentence-transformers 6.2, `util/similarity.py`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Similarity {
    /// The cosine of their angle.
    #[default]
    Cosine,
    /// Their dot product.
    Dot,
    /// The negative Euclidean distance.
    Euclidean,
    /// The negative sum of absolute differences.
    Manhattan,
}

impl DenseEmbedding {
    /// Wraps a stored vector.
    pub fn new(values: Vec<f32>) -> Self {
        Self {
            values,
            truncation: None,
        }
    }

    /// Number of columns.
    pub fn dim(&self) -> usize {
        self.values.len()
    }

    /// How similar two embeddings are; larger is more similar.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if they differ in length.
    pub fn similarity(&self, other: &Self, by: Similarity) -> Result<f32> {
        let (left, right) = (&self.values, &other.values);
        if left.len() != right.len() {
            return Err(Error::dimension_mismatch(
                "embedding",
                left.len(),
                right.len(),
            ));
        }
        let sum = |of: &dyn Fn(f32, f32) -> f32| -> f32 {
            let pairs = left.iter().zip(right);
            pairs.map(|(&left, &right)| of(left, right)).sum()
        };
        let dot = || sum(&|left, right| left * right);
        Ok(match by {
            Similarity::Dot => dot(),
            Similarity::Cosine => {
                let norm = |values: &[f32]| {
                    let squares: f32 = values.iter().map(|value| value * value).sum();
                    squares.sqrt().max(1e-12)
                };
                dot() / (norm(left) * norm(right))
            }
            Similarity::Euclidean => -sum(&|left, right| (left - right).powi(2)).sqrt(),
            Similarity::Manhattan => -sum(&|left, right| (left - right).abs()),
        })
    }
}
