//! Scores of pairs of texts.

use ndarray::ArrayView2;

use super::{Finish, Head, ModelHead, Reads, other_width};
use crate::activation::Activation;
use crate::error::Result;
use crate::model::ModelKind;
use crate::normalization::NonFiniteRow;
use crate::tokenize::{TextTokenizer, TokenizedText, Truncation};

/// What a cross-encoder says of a pair.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Prediction {
    /// The model's output for each label.
    pub logits: Vec<f32>,
    /// The logits after the model's activation function.
    pub scores: Vec<f32>,
    /// How much of the pair was cut off.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub truncation: Option<Truncation>,
}

/// Logits, and the function that makes scores of them.
#[derive(Clone, Debug)]
pub struct Cross {
    /// Labels, where the files state them.
    pub(crate) labels: Option<usize>,
    /// What is applied to the logits; by default a sigmoid to one, nothing to
    /// several.
    pub(crate) activation: Option<Activation>,
    pub(crate) columns: LogitColumns,
}

/// What the columns of a graph's output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogitColumns {
    /// Labels.
    Labels,
    /// One answer, whose logit is the label's.
    Answer,
    /// Two answers, whose logits' difference is the label's.
    Difference,
}

impl Head for Cross {
    type Output = Prediction;
    type Part = Prediction;

    fn of(head: &ModelHead) -> Result<Self, ModelKind> {
        match head {
            ModelHead::Cross(head) => Ok(head.clone()),
            _ => Err(ModelKind::CrossEncoder),
        }
    }

    fn wanted() -> Option<ModelKind> {
        Some(ModelKind::CrossEncoder)
    }

    fn kind(&self) -> ModelKind {
        ModelKind::CrossEncoder
    }

    fn reads(&self) -> Reads {
        Reads::Text
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        let stated = match self.columns {
            LogitColumns::Labels => self.labels,
            LogitColumns::Answer => Some(1),
            LogitColumns::Difference => Some(2),
        };
        match stated {
            Some(labels) if labels != width => Err(other_width(file, labels, width)),
            _ => Ok(()),
        }
    }

    fn dim(&self, width: usize) -> usize {
        match self.columns {
            LogitColumns::Labels => width,
            LogitColumns::Answer | LogitColumns::Difference => 1,
        }
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        _: &TokenizedText,
        _: Finish,
    ) -> Result<Prediction, NonFiniteRow> {
        let mut logits = states.row(0).to_vec();
        if let (LogitColumns::Difference, &[yes, no]) = (self.columns, &*logits) {
            logits = vec![yes - no];
        }
        if let Some(&norm) = logits.iter().find(|value| !value.is_finite()) {
            return Err(NonFiniteRow { row: 0, norm });
        }
        let activation = self.activation.unwrap_or(match logits.len() {
            1 => Activation::Sigmoid,
            _ => Activation::Identity,
        });
        Ok(Prediction {
            scores: logits
                .iter()
                .map(|&logit| activation.apply(logit))
                .collect(),
            logits,
            truncation: None,
        })
    }

    fn of_nothing(&self, width: usize) -> Prediction {
        Prediction {
            logits: vec![0.; self.dim(width)],
            scores: vec![0.; self.dim(width)],
            truncation: None,
        }
    }

    fn finish(part: Prediction, text: TokenizedText, _: &TextTokenizer) -> Prediction {
        Prediction {
            truncation: Some(text.truncation()),
            ..part
        }
    }
}
