//! One vector for each text.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Finish, Head, ModelHead, Reads, other_width};
use crate::dense::{DenseEmbedding, Layers, SentencePooling, Similarity};
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::{NonFiniteRow, Normalization};
use crate::tokenize::{TextTokenizer, TokenizedText};

/// Pooling, the modules behind it, and normalization.
#[derive(Clone, Debug)]
pub struct Dense {
    pub(crate) pooling: SentencePooling,
    pub(crate) layers: Layers,
    pub(crate) similarity: Similarity,
}

impl Dense {
    /// One vector of the states of a text's tokens; a graph that gives one
    /// vector has done that.
    fn pooled(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Vec<f32> {
        if states.nrows() == 1 && text.len() > 1 {
            return states.iter().copied().collect();
        }
        let tokens = text.len().min(states.nrows());
        let (states, _) = states.split_at(Axis(0), tokens);
        let pooled = self.pooling.apply(states, finish.prompt_tokens);
        self.layers.apply(pooled)
    }
}

impl Head for Dense {
    type Output = DenseEmbedding;
    type Part = Vec<f32>;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        match head {
            ModelHead::Dense(head) => Ok(head.clone()),
            _ => Err(ModelKind::Dense),
        }
    }

    fn wanted() -> Option<ModelKind> {
        Some(ModelKind::Dense)
    }

    fn kind(&self) -> ModelKind {
        ModelKind::Dense
    }

    fn reads(&self) -> Reads {
        Reads::Either
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        let pooled = width * self.pooling.modes.len();
        match self.layers.input_width() {
            Some(expected) if expected != pooled => Err(other_width(file, expected, pooled)),
            _ => Ok(()),
        }
    }

    fn dim(&self, width: usize) -> usize {
        self.layers.width(width * self.pooling.modes.len())
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<Vec<f32>, NonFiniteRow> {
        let vector = self.pooled(states, text, finish);
        let columns = vector.len();
        let mut row = Array2::from_shape_vec((1, columns), vector).unwrap_or_default();
        // The model's own normalization comes before the truncation, one that
        // is asked for after it.
        finish.normalization.apply(&mut row)?;
        let mut vector = row.into_raw_vec_and_offset().0;
        if let Some(dimensions) = finish.dimensions {
            vector.truncate(dimensions);
            if finish.renormalization == Normalization::L2 {
                let mut row = Array2::from_shape_vec((1, vector.len()), vector).unwrap_or_default();
                finish.renormalization.apply(&mut row)?;
                vector = row.into_raw_vec_and_offset().0;
            }
        }
        Ok(vector)
    }

    fn of_nothing(&self, width: usize) -> Vec<f32> {
        vec![0.; self.dim(width)]
    }

    fn finish(part: Vec<f32>, text: TokenizedText, _: &TextTokenizer) -> DenseEmbedding {
        DenseEmbedding {
            values: part,
            truncation: Some(text.truncation()),
        }
    }
}
