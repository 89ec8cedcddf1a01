//! Whatever a model gives, for callers to whom the size of the program counts:
//! one encoder serves all kinds.

use ndarray::{Array2, ArrayView2};

use super::{
    Cross, Dense, EmbeddingHead, Finish, Head, Hybrid, HybridEmbedding, HybridPart, ModelHead,
    MultiVector, Prediction, Reads, Sparse,
};
use crate::config::TextKind;
use crate::dense::DenseEmbedding;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::NonFiniteRow;
use crate::pool::Pooling;
use crate::sparse::SparseEmbedding;
use crate::tokenize::{TextTokenizer, TokenizedText};

/// The head of a model of any kind.
#[derive(Clone, Debug)]
pub struct AnyHead(Kind);

#[derive(Clone, Debug)]
enum Kind {
    MultiVector(MultiVector),
    Dense(Dense),
    Sparse(Sparse),
    Cross(Cross),
    Hybrid(Hybrid),
}

/// What a model of any kind gives for a text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyOutput {
    /// A vector for each token.
    MultiVector(Embedding),
    /// A vector.
    Dense(DenseEmbedding),
    /// Weights for a few tokens of the vocabulary.
    Sparse(SparseEmbedding),
    /// Scores of a pair.
    Cross(Prediction),
    /// All but the scores.
    Hybrid(Box<HybridEmbedding>),
}

#[doc(hidden)]
#[derive(Debug)]
pub enum AnyPart {
    MultiVector(Array2<f32>),
    Dense(Vec<f32>),
    Sparse(SparseEmbedding),
    Cross(Prediction),
    Hybrid(HybridPart),
}

impl AnyHead {
    /// The head of a dense model.
    pub(in crate::encoder) fn dense(&self) -> Option<&Dense> {
        match &self.0 {
            Kind::Dense(head) => Some(head),
            _ => None,
        }
    }
}

/// Calls `$call` with the head, whatever it is, and wraps the result.
macro_rules! parts {
    ($self:ident, $head:ident => $call:expr) => {
        match &$self.0 {
            Kind::MultiVector($head) => AnyPart::MultiVector($call),
            Kind::Dense($head) => AnyPart::Dense($call),
            Kind::Sparse($head) => AnyPart::Sparse($call),
            Kind::Cross($head) => AnyPart::Cross($call),
            Kind::Hybrid($head) => AnyPart::Hybrid($call),
        }
    };
}

/// Calls `$call` with the head, whatever it is.
macro_rules! each {
    ($self:ident, $head:ident => $call:expr) => {
        match &$self.0 {
            Kind::MultiVector($head) => $call,
            Kind::Dense($head) => $call,
            Kind::Sparse($head) => $call,
            Kind::Cross($head) => $call,
            Kind::Hybrid($head) => $call,
        }
    };
}

impl Head for AnyHead {
    type Output = AnyOutput;
    type Part = AnyPart;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        Ok(Self(match head {
            ModelHead::MultiVector => Kind::MultiVector(Head::of(head)?),
            ModelHead::Dense(head) => Kind::Dense(head.clone()),
            ModelHead::Sparse(head) => Kind::Sparse(head.clone()),
            ModelHead::Cross(head) => Kind::Cross(head.clone()),
            ModelHead::Hybrid(head) => Kind::Hybrid(head.clone()),
        }))
    }

    fn wanted() -> Option<ModelKind> {
        None
    }

    fn kind(&self) -> ModelKind {
        each!(self, head => head.kind())
    }

    fn reads(&self) -> Reads {
        each!(self, head => head.reads())
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        each!(self, head => head.check(width, file))
    }

    fn dim(&self, width: usize) -> usize {
        each!(self, head => head.dim(width))
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<AnyPart, NonFiniteRow> {
        Ok(parts!(self, head => head.read(states, text, finish)?))
    }

    fn of_nothing(&self, width: usize) -> AnyPart {
        parts!(self, head => head.of_nothing(width))
    }

    fn of_tokens(&self, text: &TokenizedText, kind: TextKind) -> Option<AnyPart> {
        Some(parts!(self, head => head.of_tokens(text, kind)?))
    }

    fn finish(part: AnyPart, text: TokenizedText, tokenizer: &TextTokenizer) -> AnyOutput {
        match part {
            AnyPart::MultiVector(part) => {
                AnyOutput::MultiVector(MultiVector::finish(part, text, tokenizer))
            }
            AnyPart::Dense(part) => AnyOutput::Dense(Dense::finish(part, text, tokenizer)),
            AnyPart::Sparse(part) => AnyOutput::Sparse(Sparse::finish(part, text, tokenizer)),
            AnyPart::Cross(part) => AnyOutput::Cross(Cross::finish(part, text, tokenizer)),
            AnyPart::Hybrid(part) => {
                AnyOutput::Hybrid(Box::new(Hybrid::finish(part, text, tokenizer)))
            }
        }
    }

    fn pooled(output: &AnyOutput, pooling: Pooling) -> Result<Option<AnyOutput>> {
        Ok(match output {
            AnyOutput::MultiVector(embedding) => {
                MultiVector::pooled(embedding, pooling)?.map(AnyOutput::MultiVector)
            }
            AnyOutput::Hybrid(embedding) => {
                let pooled = Hybrid::pooled(embedding, pooling)?;
                pooled.map(|embedding| AnyOutput::Hybrid(Box::new(embedding)))
            }
            _ => None,
        })
    }
}

/// Cross-encoders refuse single texts when they are called.
impl EmbeddingHead for AnyHead {
    fn matrix(output: &AnyOutput) -> Embedding {
        match output {
            AnyOutput::MultiVector(embedding) => MultiVector::matrix(embedding),
            AnyOutput::Dense(embedding) => Dense::matrix(embedding),
            AnyOutput::Sparse(embedding) => Sparse::matrix(embedding),
            AnyOutput::Hybrid(embedding) => Hybrid::matrix(embedding),
            AnyOutput::Cross(prediction) => Embedding::of_row(prediction.scores.clone()),
        }
    }
}
