//! What follows a transformer: heads that predict tokens or labels.
//!
//! Weights of heads are named from the root of a model, those of the
//! transformer by a prefix such as `bert.`.

mod classifier;
mod language;
mod rows;

use super::draft::Draft;
use super::parameters::{Bias, Norm};
use super::{LOGITS, OUTPUT};
use crate::blocks::Activation;
use crate::error::{Error, Result};
use crate::interface::{declare, declare_text};
use crate::onnx::{FLOAT, ValueInfoProto};

pub(super) use classifier::{Classifier, Dense, Place, Pooling};
pub(super) use language::{Causal, Masked, Transform};

/// What follows the transformer, see [`build`](super::build).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head<'a> {
    /// Nothing: the last hidden states, `[batch, length, width]`.
    #[default]
    None,
    /// Logits of all tokens of the vocabulary in each place, `[batch, length,
    /// vocabulary]`.
    MaskedLanguageModel,
    /// Logits of labels, `[batch, 1, labels]`.
    SequenceClassification,
    /// Logits of these tokens as the next one of a text, `[batch, 1, tokens]`.
    #[non_exhaustive]
    CausalLanguageModel {
        /// Their ids.
        tokens: &'a [u32],
    },
}

impl<'a> Head<'a> {
    /// [`Head::CausalLanguageModel`]
    pub const fn causal(tokens: &'a [u32]) -> Self {
        Self::CausalLanguageModel { tokens }
    }

    /// The name of the output of a graph with this head.
    pub fn output(self) -> &'static str {
        match self {
            Self::None => OUTPUT,
            _ => LOGITS,
        }
    }

    /// Declares the output, of that many columns.
    pub(super) fn declare(self, width: usize) -> ValueInfoProto {
        let declare = match self {
            Self::None | Self::MaskedLanguageModel => declare,
            Self::SequenceClassification | Self::CausalLanguageModel { .. } => declare_text,
        };
        declare(self.output(), FLOAT, Some(width))
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MaskedLanguageModel => "masked language model",
            Self::SequenceClassification => "sequence classification",
            Self::CausalLanguageModel { .. } => "causal language model",
        }
    }
}

/// The heads that a family has.
#[derive(Default)]
pub(super) struct Heads {
    pub(super) masked: Option<Masked>,
    pub(super) classifier: Option<Classifier>,
    pub(super) causal: Option<Causal>,
}

/// A head's activation function.
#[derive(Clone, Copy)]
pub(super) enum Function {
    Fixed(Activation),
    /// That under a key of the configuration, and the one without it.
    Stated(&'static str, Activation),
}

impl Function {
    fn read(self, draft: &Draft<'_>) -> Result<Activation> {
        match self {
            Self::Fixed(activation) => Ok(activation),
            Self::Stated(key, default) => draft.config.activation(key, default),
        }
    }
}

impl Heads {
    /// BERT's: predictions by names below `cls.predictions`, labels from the
    /// pooler's row.
    pub(super) fn bert(norm: Norm) -> Self {
        let function = Function::Stated("hidden_act", Activation::Gelu);
        Self {
            masked: Some(Masked {
                transform: Some(Transform {
                    dense: "cls.predictions.transform.dense",
                    bias: Bias::Present,
                    function,
                    norm_name: "cls.predictions.transform.LayerNorm",
                    norm,
                }),
                decoder: "cls.predictions.decoder",
                biases: &["cls.predictions.decoder.bias", "cls.predictions.bias"],
            }),
            classifier: Some(Classifier {
                pooling: Pooling::First,
                dense: Some(Dense {
                    name: "pooler.dense",
                    place: Place::Transformer,
                    bias: Bias::Present,
                    function: Function::Fixed(Activation::Tanh),
                    norm: None,
                }),
                output: "classifier",
                bias: Bias::Present,
            }),
            causal: None,
        }
    }

    /// RoBERTa's: predictions below `lm_head`, labels below `classifier`.
    pub(super) fn roberta(norm: Norm) -> Self {
        Self {
            masked: Some(Masked {
                transform: Some(Transform {
                    dense: "lm_head.dense",
                    bias: Bias::Present,
                    function: Function::Fixed(Activation::Gelu),
                    norm_name: "lm_head.layer_norm",
                    norm,
                }),
                decoder: "lm_head.decoder",
                biases: &["lm_head.decoder.bias", "lm_head.bias"],
            }),
            classifier: Some(Classifier::of_first_row(Activation::Tanh)),
            causal: None,
        }
    }

    /// ELECTRA's: predictions of the generator, labels below `classifier`.
    pub(super) fn electra(norm: Norm) -> Self {
        Self {
            masked: Some(Masked {
                transform: Some(Transform {
                    dense: "generator_predictions.dense",
                    bias: Bias::Present,
                    function: Function::Fixed(Activation::Gelu),
                    norm_name: "generator_predictions.LayerNorm",
                    norm,
                }),
                decoder: "generator_lm_head",
                biases: &["generator_lm_head.bias"],
            }),
            classifier: Some(Classifier::of_first_row(Activation::Gelu)),
            causal: None,
        }
    }
}

/// A value, and its columns.
pub(super) struct Rows {
    pub(super) value: String,
    pub(super) width: usize,
}

impl Heads {
    /// Writes a head behind the last hidden states.
    pub(super) fn append(
        &self,
        draft: &mut Draft<'_>,
        states: Rows,
        head: Head<'_>,
    ) -> Result<Rows> {
        match (head, &self.masked, &self.classifier, &self.causal) {
            (Head::None, ..) => Ok(states),
            (Head::MaskedLanguageModel, Some(masked), ..) => masked.append(draft, &states),
            (Head::SequenceClassification, _, Some(classifier), _) => {
                classifier.append(draft, &states)
            }
            (Head::CausalLanguageModel { tokens }, .., Some(causal)) => {
                causal.append(draft, &states, tokens)
            }
            _ => Err(not_implemented(draft, head)),
        }
    }
}

fn not_implemented(draft: &Draft<'_>, head: Head<'_>) -> Error {
    let config = draft.config;
    let text = |key| config.text(key).ok().flatten().unwrap_or_default();
    let classes = config.texts("architectures").ok().flatten();
    let class = classes.as_deref().and_then(<[&str]>::first);
    let found = format!(
        "`{}` of `{}`, whose head ({}) is not implemented",
        class.unwrap_or(&"none"),
        text("model_type"),
        head.name(),
    );
    config.refuse("architectures", "a model whose head is known", found)
}
