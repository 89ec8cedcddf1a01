//! Kinds of models, and what each does behind its token states.

use std::fmt;

use multivec_graph::modules::SpladePooling;

use super::layers::Module;
use crate::activation::Activation;
use crate::dense::{SentencePooling, Similarity};

/// What a model makes of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum ModelKind {
    /// A vector for each token.
    MultiVector,
    /// A vector for each text.
    Dense,
    /// Weights for a few tokens of the vocabulary.
    Sparse,
    /// Scores of pairs of texts.
    CrossEncoder,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MultiVector => "multi-vector",
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::CrossEncoder => "cross-encoder",
        })
    }
}

/// What is behind the graph.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum HeadDescription {
    /// Of a multi-vector model: nothing but normalization.
    MultiVector,
    /// Of a dense model.
    Dense(DenseDescription),
    /// Of a sparse model.
    Sparse(SparseDescription),
    /// Of a cross-encoder.
    CrossEncoder(CrossDescription),
}

impl HeadDescription {
    /// The kind of model that has it.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::MultiVector => ModelKind::MultiVector,
            Self::Dense(_) => ModelKind::Dense,
            Self::Sparse(_) => ModelKind::Sparse,
            Self::CrossEncoder(_) => ModelKind::CrossEncoder,
        }
    }
}

/// From token states to the vector of a text.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DenseDescription {
    /// How token states become one vector.
    pub pooling: SentencePooling,
    /// What is applied to that vector. A normalization at the end is not among
    /// them.
    pub modules: Vec<Module>,
    /// How vectors are compared.
    pub similarity: Similarity,
}

/// How weights of the vocabulary are made.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SparseDescription {
    /// How the logits of tokens become one row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub pooling: SpladePooling,
    /// Where the weights of queries are, if these are encoded without a
    /// transformer.
    pub queries: Option<StaticTable>,
}

/// Weights by token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum StaticTable {
    /// Path of a safetensors file with the tensor `weight`, `[vocabulary]`.
    Safetensors(String),
    /// Path of a JSON object with a weight for each spelling.
    Json(String),
}

/// How logits become scores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CrossDescription {
    /// Labels, where the files state them.
    pub labels: Option<usize>,
    /// What is applied to logits; `None` for a sigmoid to one, nothing to
    /// several.
    pub activation: Option<Activation>,
}
