//! Kinds of models, and what each does behind its token states.

use std::fmt;

use multivec_graph::hybrid::{HybridOutputs, HybridPart};
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
    /// The first three at once.
    Hybrid,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MultiVector => "multi-vector",
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::CrossEncoder => "cross-encoder",
            Self::Hybrid => "hybrid",
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
    /// Of a model of several kinds.
    Hybrid(HybridDescription),
}

impl HeadDescription {
    /// The kind of model that has it.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::MultiVector => ModelKind::MultiVector,
            Self::Dense(_) => ModelKind::Dense,
            Self::Sparse(_) => ModelKind::Sparse,
            Self::CrossEncoder(_) => ModelKind::CrossEncoder,
            Self::Hybrid(hybrid) => match hybrid.part {
                HybridPart::Text => ModelKind::Dense,
                HybridPart::Weights => ModelKind::Sparse,
                HybridPart::Tokens => ModelKind::MultiVector,
                _ => ModelKind::Hybrid,
            },
        }
    }
}

/// A model that gives a vector of each text, weights of its tokens, and vectors
/// of them, in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HybridDescription {
    /// What is loaded of it.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub part: HybridPart,
    /// Columns of the vectors of texts and of tokens, as far as they are known.
    pub widths: Option<HybridWidths>,
    /// The files of the heads, unless they are in the graph.
    pub heads: Option<HybridHeads>,
}

impl HybridDescription {
    pub(super) fn of_heads(heads: HybridHeads) -> Self {
        Self {
            part: HybridPart::All,
            widths: None,
            heads: Some(heads),
        }
    }

    pub(super) fn of_outputs(outputs: &HybridOutputs) -> Self {
        Self {
            part: HybridPart::All,
            widths: Some(HybridWidths::new(outputs.text_width, outputs.token_width)),
            heads: None,
        }
    }
}

/// Columns of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HybridWidths {
    /// Of those of texts.
    pub text: usize,
    /// Of those of tokens.
    pub token: usize,
}

impl HybridWidths {
    /// Columns of vectors of texts and of tokens.
    pub(crate) fn new(text: usize, token: usize) -> Self {
        Self { text, token }
    }
}

/// The paths of safetensors files with one linear layer each, `weight` and
/// `bias`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HybridHeads {
    /// From states to weights of tokens.
    pub weights: String,
    /// From states to vectors of tokens.
    pub tokens: String,
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
    /// The tokens whose logits make the score, for models that generate text.
    pub answers: Option<Answers>,
}

/// Tokens that say whether a document is relevant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Answers {
    /// The id of the token that says that it is.
    pub yes: u32,
    /// The id of the token that says that it is not, whose logit is subtracted.
    pub no: Option<u32>,
}

impl Answers {
    /// The ids.
    pub fn ids(&self) -> Vec<u32> {
        self.no.map_or(vec![self.yes], |no| vec![self.yes, no])
    }
}
