//! A weight for each of a few tokens of the vocabulary.

use ndarray::ArrayView2;

use super::{Finish, Head, ModelHead, Reads, other_width};
use crate::config::TextKind;
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::NonFiniteRow;
use crate::sparse::{SparseEmbedding, StaticWeights, TokenWeights};
use crate::tokenize::{TextTokenizer, TokenizedText};

/// The weights that a graph has pooled, or those of the tokens themselves.
#[derive(Clone, Debug)]
pub struct Sparse {
    /// Those of queries, where they are encoded without the graph.
    pub(crate) queries: Option<StaticWeights>,
    /// For graphs that give a weight for each token.
    pub(crate) tokens: Option<TokenWeights>,
}

impl Head for Sparse {
    type Output = SparseEmbedding;
    type Part = SparseEmbedding;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        match head {
            ModelHead::Sparse(head) => Ok(head.clone()),
            _ => Err(ModelKind::Sparse),
        }
    }

    fn wanted() -> Option<ModelKind> {
        Some(ModelKind::Sparse)
    }

    fn kind(&self) -> ModelKind {
        ModelKind::Sparse
    }

    fn reads(&self) -> Reads {
        match self.tokens {
            Some(_) => Reads::Tokens,
            None => Reads::Text,
        }
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        match self.tokens {
            Some(_) if width != 1 => Err(other_width(file, 1, width)),
            _ => Ok(()),
        }
    }

    fn dim(&self, width: usize) -> usize {
        self.tokens.as_ref().map_or(width, TokenWeights::dim)
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        _: Finish,
    ) -> Result<SparseEmbedding, NonFiniteRow> {
        if let Some(tokens) = &self.tokens {
            let weights: Vec<f32> = states.column(0).iter().take(text.len()).copied().collect();
            return match weights.iter().position(|value| !value.is_finite()) {
                Some(row) => Err(NonFiniteRow {
                    row,
                    norm: weights[row],
                }),
                None => Ok(tokens.join(text.input_ids(), &weights)),
            };
        }
        let row = states.row(0);
        if let Some(&norm) = row.iter().find(|value| !value.is_finite()) {
            return Err(NonFiniteRow { row: 0, norm });
        }
        Ok(SparseEmbedding::of_row(row.iter()))
    }

    fn of_nothing(&self, width: usize) -> SparseEmbedding {
        SparseEmbedding {
            indices: Vec::new(),
            values: Vec::new(),
            dim: self.dim(width),
            truncation: None,
        }
    }

    fn of_tokens(&self, text: &TokenizedText, kind: TextKind) -> Option<SparseEmbedding> {
        let weights = self.queries.as_ref()?;
        (kind == TextKind::Query).then(|| weights.of(text))
    }

    fn finish(part: SparseEmbedding, text: TokenizedText, _: &TextTokenizer) -> SparseEmbedding {
        SparseEmbedding {
            truncation: Some(text.truncation()),
            ..part
        }
    }
}
