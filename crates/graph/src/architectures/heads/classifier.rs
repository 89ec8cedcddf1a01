//! Labels of a whole text.

use super::super::draft::Draft;
use super::super::parameters::{Bias, Norm, Sizes};
use super::rows::{self, Ending};
use super::{Function, Rows};
use crate::blocks::Activation;
use crate::error::Result;

/// A linear layer from one row of a text to its labels, perhaps after another
/// layer.
pub(in super::super) struct Classifier {
    pub(in super::super) pooling: Pooling,
    pub(in super::super) dense: Option<Dense>,
    /// The layer whose rows are labels.
    pub(in super::super) output: &'static str,
    pub(in super::super) bias: Bias,
}

/// Which row of a text is classified.
#[derive(Clone, Copy)]
pub(in super::super) enum Pooling {
    First,
    Mean,
    /// The mean of what the dense layer returns.
    MeanOfDense,
    /// The last that does not have the id of padding.
    Last,
}

/// A layer before the last.
#[derive(Clone, Copy)]
pub(in super::super) struct Dense {
    pub(in super::super) name: &'static str,
    pub(in super::super) place: Place,
    pub(in super::super) bias: Bias,
    pub(in super::super) function: Function,
    /// A normalization after the function.
    pub(in super::super) norm: Option<(&'static str, Norm)>,
}

/// From where a layer is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Place {
    Transformer,
    Root,
}

impl Classifier {
    /// Two layers of the first row, `classifier.dense` and
    /// `classifier.out_proj`.
    pub(in super::super) fn of_first_row(activation: Activation) -> Self {
        Self {
            pooling: Pooling::First,
            dense: Some(Dense {
                name: "classifier.dense",
                place: Place::Root,
                bias: Bias::Present,
                function: Function::Fixed(activation),
                norm: None,
            }),
            output: "classifier.out_proj",
            bias: Bias::Present,
        }
    }

    /// The logits of labels, `[batch, 1, labels]`.
    pub(super) fn append(
        &self,
        draft: &mut Draft<'_>,
        Rows {
            value: states,
            width,
        }: &Rows,
    ) -> Result<Rows> {
        let width = *width;
        let builder = &mut draft.builder;
        let mut row = match self.pooling {
            Pooling::First => rows::first(builder, states),
            Pooling::Mean => rows::mean(builder, states),
            Pooling::MeanOfDense => states.clone(),
            Pooling::Last => rows::last(draft, states, Ending::NotPadding)?,
        };
        let dense = self.dense.as_ref();
        if dense.is_none_or(|dense| dense.place == Place::Root) {
            draft.weights.leave_transformer();
        }
        if let Some(dense) = dense {
            row = dense.append(draft, &row, width)?;
            draft.weights.leave_transformer();
        }
        if let Pooling::MeanOfDense = self.pooling {
            row = rows::mean(&mut draft.builder, &row);
        }
        let labels = draft.rows_of(&format!("{}.weight", self.output), width)?;
        check_labels(draft, labels)?;
        let sizes = Sizes::new(width, labels);
        let logits = draft.linear(&row, self.output, sizes, self.bias)?;
        Ok(Rows {
            value: logits,
            width: labels,
        })
    }
}

impl Dense {
    fn append(&self, draft: &mut Draft<'_>, row: &str, width: usize) -> Result<String> {
        let function = self.function.read(draft)?;
        let sizes = Sizes::new(width, width);
        let row = draft.linear(row, self.name, sizes, self.bias)?;
        let row = function.apply(&mut draft.builder, &row);
        match self.norm {
            Some((name, norm)) => draft.layer_norm(&row, name, norm),
            None => Ok(row),
        }
    }
}

/// The configuration may state how many labels there are.
fn check_labels(draft: &Draft<'_>, labels: usize) -> Result<()> {
    let config = draft.config;
    let expected = || format!("{labels}, as the weights have");
    if let Some(names) = config.get("id2label") {
        let count = names.as_object().map(serde_json::Map::len);
        if count != Some(labels) {
            return Err(config.refuse("id2label", expected(), names));
        }
    }
    match config.optional_size("num_labels")? {
        Some(count) if count != labels => Err(config.refuse("num_labels", expected(), count)),
        _ => Ok(()),
    }
}
