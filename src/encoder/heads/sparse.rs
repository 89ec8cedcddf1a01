//! A weight for each of a few tokens of the vocabulary.

use ndarray::ArrayView2;

use super::{Finish, Head, ModelHead};
use crate::config::TextKind;
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::NonFiniteRow;
use crate::sparse::{SparseEmbedding, StaticWeights};
use crate::tokenize::{TextTokenizer, TokenizedText};

/// The weights that a graph has pooled, or those of the tokens themselves.
#[derive(Clone, Debug)]
pub struct Sparse {
    /// Those of queries, where they are encoded without the graph.
    pub(crate) queries: Option<StaticWeights>,
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

    fn kind(&self) -> ModelKind {
        ModelKind::Sparse
    }

    fn check(&self, _: usize, _: &str) -> Result<()> {
        Ok(())
    }

    fn dim(&self, width: usize) -> usize {
        width
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        _: &TokenizedText,
        _: Finish,
    ) -> Result<SparseEmbedding, NonFiniteRow> {
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
            dim: width,
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
