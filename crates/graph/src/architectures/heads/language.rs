//! Predictions of tokens.

use super::super::draft::Draft;
use super::super::parameters::{Bias, Norm, Sizes};
use super::rows::{self, Ending};
use super::{Function, Rows};
use crate::blocks::product;
use crate::error::Result;

/// Logits of the vocabulary in each place.
pub(in super::super) struct Masked {
    pub(in super::super) transform: Option<Transform>,
    /// The layer whose columns are tokens; without weights of its own, it has
    /// those of the table of tokens.
    pub(in super::super) decoder: &'static str,
    /// The names of its bias, its own first: it may share that of the head. None
    /// without a bias.
    pub(in super::super) biases: &'static [&'static str],
}

/// A layer before the decoder.
#[derive(Clone, Copy)]
pub(in super::super) struct Transform {
    pub(in super::super) dense: &'static str,
    pub(in super::super) bias: Bias,
    pub(in super::super) function: Function,
    pub(in super::super) norm_name: &'static str,
    /// Of as many columns as the table of tokens.
    pub(in super::super) norm: Norm,
}

impl Masked {
    /// The logits of the vocabulary, `[batch, length, vocabulary]`.
    pub(super) fn append(&self, draft: &mut Draft<'_>, states: &Rows) -> Result<Rows> {
        draft.weights.leave_transformer();
        let width = states.width;
        let mut states = states.value.clone();
        let mut columns = width;
        if let Some(transform) = &self.transform {
            columns = transform.norm.width;
            let function = transform.function.read(draft)?;
            let sizes = Sizes::new(width, columns);
            states = draft.linear(&states, transform.dense, sizes, transform.bias)?;
            states = function.apply(&mut draft.builder, &states);
            states = draft.layer_norm(&states, transform.norm_name, transform.norm)?;
        }
        let decoder = draft.decoder(self.decoder, columns)?;
        let mut logits = product(&mut draft.builder, &states, decoder.value());
        if !self.biases.is_empty() {
            let bias = draft.weight(self.biases, &[decoder.rows])?;
            logits = draft.sum(&logits, &bias);
        }
        Ok(Rows {
            value: logits,
            width: decoder.rows,
        })
    }
}

/// Logits of a few tokens after the last of a text.
pub(in super::super) struct Causal {
    /// As of [`Masked`].
    pub(in super::super) decoder: &'static str,
}

impl Causal {
    /// The logits of these tokens, `[batch, 1, tokens]`.
    pub(super) fn append(
        &self,
        draft: &mut Draft<'_>,
        states: &Rows,
        tokens: &[u32],
    ) -> Result<Rows> {
        let row = rows::last(draft, &states.value, Ending::AnyToken)?;
        draft.weights.leave_transformer();
        let rows = draft.decoder_rows(self.decoder, states.width, tokens)?;
        let logits = product(&mut draft.builder, &row, &rows);
        Ok(Rows {
            value: logits,
            width: tokens.len(),
        })
    }
}
