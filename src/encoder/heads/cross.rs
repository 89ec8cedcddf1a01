//! Scores of pairs of texts.

use ndarray::ArrayView2;

use super::{Finish, Head, other_kind, other_width};
use crate::encoder::parts::{ModelHead, ModelParts};
use crate::encoder::predict::Prediction;
use crate::error::Result;
use crate::model::{Activation, ModelKind};
use crate::normalization::NonFiniteRow;
use crate::tokenize::{TextTokenizer, TokenizedText};

/// Logits, and the function that makes scores of them.
#[derive(Clone, Debug)]
pub struct Cross {
    /// Labels, where the files state them.
    pub(crate) labels: Option<usize>,
    /// What is applied to the logits; by default a sigmoid to one, nothing to
    /// several.
    pub(crate) activation: Option<Activation>,
}

impl Head for Cross {
    const KIND: ModelKind = ModelKind::CrossEncoder;

    type Output = Prediction;
    type Part = Prediction;

    fn of(parts: &ModelParts) -> Result<Self> {
        match &parts.head {
            ModelHead::Cross(head) => Ok(head.clone()),
            _ => Err(other_kind(Self::KIND, parts)),
        }
    }

    fn check(&self, width: usize, file: &str) -> Result<()> {
        match self.labels {
            Some(labels) if labels != width => Err(other_width(file, labels, width)),
            _ => Ok(()),
        }
    }

    fn dim(&self, width: usize) -> usize {
        width
    }

    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        _: &TokenizedText,
        _: Finish<'_>,
    ) -> Result<Prediction, NonFiniteRow> {
        let logits = states.row(0).to_vec();
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
            logits: vec![0.; width],
            scores: vec![0.; width],
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
