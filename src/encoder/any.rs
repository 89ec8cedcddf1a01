//! An encoder of the kind that a model is.

use super::{
    CrossEncoder, DenseEncoder, EncodeOptions, HybridEncoder, ModelParts, MultiVectorEncoder,
    SparseEncoder, TextEncoder,
};
use crate::backend::{Backend, BackendInfo};
use crate::error::Result;
use crate::fingerprint::{Fingerprint, WeightsHasher};
use crate::model::ModelKind;

/// An encoder of any kind, for callers that find out from the model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyEncoder {
    /// A vector for each token.
    MultiVector(MultiVectorEncoder),
    /// A vector for each text.
    Dense(DenseEncoder),
    /// Weights for a few tokens of the vocabulary.
    Sparse(SparseEncoder),
    /// Scores of pairs of texts.
    Cross(CrossEncoder),
    /// The first three at once.
    Hybrid(HybridEncoder),
}

impl AnyEncoder {
    /// Makes the encoder of the model's kind, see [`TextEncoder::new`].
    ///
    /// # Errors
    /// Those of [`TextEncoder::new`].
    pub fn new(
        parts: ModelParts,
        backend: Box<dyn Backend>,
        weights: WeightsHasher,
        options: &EncodeOptions,
    ) -> Result<Self> {
        Ok(match parts.kind() {
            ModelKind::MultiVector => {
                Self::MultiVector(TextEncoder::new(parts, backend, weights, options)?)
            }
            ModelKind::Dense => Self::Dense(TextEncoder::new(parts, backend, weights, options)?),
            ModelKind::Sparse => Self::Sparse(TextEncoder::new(parts, backend, weights, options)?),
            ModelKind::CrossEncoder => {
                Self::Cross(TextEncoder::new(parts, backend, weights, options)?)
            }
            ModelKind::Hybrid => Self::Hybrid(TextEncoder::new(parts, backend, weights, options)?),
        })
    }

    /// The kind of the model.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::MultiVector(_) => ModelKind::MultiVector,
            Self::Dense(_) => ModelKind::Dense,
            Self::Sparse(_) => ModelKind::Sparse,
            Self::Cross(_) => ModelKind::CrossEncoder,
            Self::Hybrid(_) => ModelKind::Hybrid,
        }
    }

    /// The engine, its provider, and the precision and form of the graph.
    pub fn info(&self) -> &BackendInfo {
        match self {
            Self::MultiVector(encoder) => encoder.info(),
            Self::Dense(encoder) => encoder.info(),
            Self::Sparse(encoder) => encoder.info(),
            Self::Cross(encoder) => encoder.info(),
            Self::Hybrid(encoder) => encoder.info(),
        }
    }

    /// Where the model was published, see [`TextEncoder::origin`].
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::MultiVector(encoder) => encoder.origin(),
            Self::Dense(encoder) => encoder.origin(),
            Self::Sparse(encoder) => encoder.origin(),
            Self::Cross(encoder) => encoder.origin(),
            Self::Hybrid(encoder) => encoder.origin(),
        }
    }

    /// Columns of an embedding, or labels of a cross-encoder.
    pub fn dim(&self) -> usize {
        match self {
            Self::MultiVector(encoder) => encoder.dim(),
            Self::Dense(encoder) => encoder.dim(),
            Self::Sparse(encoder) => encoder.dim(),
            Self::Cross(encoder) => encoder.dim(),
            Self::Hybrid(encoder) => encoder.dim(),
        }
    }

    /// Identity of the embedding space, to be stored with the vectors.
    pub fn fingerprint(&self) -> &Fingerprint {
        match self {
            Self::MultiVector(encoder) => encoder.fingerprint(),
            Self::Dense(encoder) => encoder.fingerprint(),
            Self::Sparse(encoder) => encoder.fingerprint(),
            Self::Cross(encoder) => encoder.fingerprint(),
            Self::Hybrid(encoder) => encoder.fingerprint(),
        }
    }
}
