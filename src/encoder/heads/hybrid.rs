//! A vector of a text, weights of its tokens, and vectors of them.

use ndarray::{Array2, ArrayView2, Axis};

use super::{EmbeddingHead, Finish, Head, ModelHead, MultiVector, Reads, Sparse, other_width};
use crate::dense::DenseEmbedding;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::model::{HybridWidths, ModelKind};
use crate::normalization::NonFiniteRow;
use crate::pool::Pooling;
use crate::sparse::SparseEmbedding;
use crate::tokenize::{TextTokenizer, TokenizedText};

/// What a model of several kinds gives for a text.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HybridEmbedding {
    /// The vector of the text.
    pub dense: DenseEmbedding,
    /// Weights of its tokens.
    pub sparse: SparseEmbedding,
    /// A vector for each token but the first.
    pub multi_vector: Embedding,
}

/// Reads all three of one output, see [`multivec_graph::hybrid`].
#[derive(Clone, Debug)]
pub struct Hybrid {
    pub(crate) widths: HybridWidths,
    pub(crate) sparse: Sparse,
}

#[doc(hidden)]
#[derive(Debug)]
pub struct HybridPart {
    dense: Vec<f32>,
    sparse: SparseEmbedding,
    multi_vector: Array2<f32>,
}

impl Hybrid {
    fn columns(&self) -> usize {
        self.widths.text.max(self.widths.token)
    }
}

impl Head for Hybrid {
    type Output = HybridEmbedding;
    type Part = HybridPart;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        match head {
            ModelHead::Hybrid(head) => Ok(head.clone()),
            _ => Err(ModelKind::Hybrid),
        }
    }

    fn wanted() -> Option<ModelKind> {
        Some(ModelKind::Hybrid)
    }

    fn kind(&self) -> ModelKind {
        ModelKind::Hybrid
    }

    fn reads(&self) -> Reads {
        Reads::Tokens
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        match self.columns() + 1 {
            expected if expected != width => Err(other_width(file, expected, width)),
            _ => Ok(()),
        }
    }

    /// That of the vectors of texts.
    fn dim(&self, _: usize) -> usize {
        self.widths.text
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<HybridPart, NonFiniteRow> {
        let (vectors, weights) = states.split_at(Axis(1), self.columns());
        let (first, _) = vectors.split_at(Axis(0), 1.min(vectors.nrows()));
        let mut dense = first.split_at(Axis(1), self.widths.text).0.to_owned();
        finish.normalization.apply(&mut dense)?;
        let (tokens, _) = vectors.split_at(Axis(1), self.widths.token);
        Ok(HybridPart {
            dense: dense.into_raw_vec_and_offset().0,
            sparse: self.sparse.read(weights, text, finish)?,
            multi_vector: MultiVector::rows(tokens, text, finish)?,
        })
    }

    fn of_nothing(&self, _: usize) -> HybridPart {
        HybridPart {
            dense: vec![0.; self.widths.text],
            sparse: self.sparse.of_nothing(1),
            multi_vector: Array2::zeros((0, self.widths.token)),
        }
    }

    fn finish(part: HybridPart, text: TokenizedText, tokenizer: &TextTokenizer) -> HybridEmbedding {
        let truncation = Some(text.truncation());
        HybridEmbedding {
            dense: DenseEmbedding {
                values: part.dense,
                truncation,
            },
            sparse: SparseEmbedding {
                truncation,
                ..part.sparse
            },
            multi_vector: MultiVector::finish(part.multi_vector, text, tokenizer),
        }
    }

    fn pooled(output: &HybridEmbedding, pooling: Pooling) -> Result<Option<HybridEmbedding>> {
        let pooled = MultiVector::pooled(&output.multi_vector, pooling)?;
        Ok(pooled.map(|multi_vector| HybridEmbedding {
            multi_vector,
            ..output.clone()
        }))
    }
}

impl EmbeddingHead for Hybrid {
    /// The vectors of tokens, by which documents are ranked best.
    fn matrix(output: &HybridEmbedding) -> Embedding {
        output.multi_vector.clone()
    }
}
