//! One vector for each token.

use ndarray::{Array2, ArrayView2};

use super::{Finish, Head, ModelHead, Reads};
use crate::embedding::{Embedding, TokenSource};
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::NonFiniteRow;
use crate::pool::Pooling;
use crate::tokenize::{TextTokenizer, TokenizedText};

/// The rows of the tokens that are kept, scaled to unit length.
#[derive(Clone, Debug)]
pub struct MultiVector(());

impl MultiVector {
    /// The rows that a text keeps.
    pub(super) fn rows(
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<Array2<f32>, NonFiniteRow> {
        let count = text.kept().iter().filter(|&&kept| kept).count();
        let mut matrix = Array2::zeros((count, states.ncols()));
        let rows = states.outer_iter().zip(text.kept());
        let kept = rows.filter(|(_, kept)| **kept);
        for (mut row, (states, _)) in matrix.rows_mut().into_iter().zip(kept) {
            row.assign(&states);
        }
        finish.normalization.apply(&mut matrix)?;
        Ok(matrix)
    }
}

impl Head for MultiVector {
    type Output = Embedding;
    type Part = Array2<f32>;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        match head {
            ModelHead::MultiVector => Ok(Self(())),
            _ => Err(ModelKind::MultiVector),
        }
    }

    fn wanted() -> Option<ModelKind> {
        Some(ModelKind::MultiVector)
    }

    fn kind(&self) -> ModelKind {
        ModelKind::MultiVector
    }

    fn reads(&self) -> Reads {
        Reads::Tokens
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
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<Array2<f32>, NonFiniteRow> {
        Self::rows(states, text, finish)
    }

    fn of_nothing(&self, width: usize) -> Array2<f32> {
        Array2::zeros((0, width))
    }

    fn finish(part: Array2<f32>, text: TokenizedText, tokenizer: &TextTokenizer) -> Embedding {
        Embedding::with_source(part, TokenSource::new(tokenizer.clone(), text))
    }

    fn pooled(output: &Embedding, pooling: Pooling) -> Result<Option<Embedding>> {
        output.pooled(pooling).map(Some)
    }
}
