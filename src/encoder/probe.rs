//! The check that graph, tokenizer and configuration fit together.

use std::fmt;

use crate::backend::{Backend, Padding, RunMode, TokenStates};
use crate::batch::TokenBatch;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::model::ModelKind;
use crate::normalization::Normalization;
use crate::tokenize::TextTokenizer;

use super::heads::Reads;
use super::options::Plan;
use super::padding::Texts;

/// The parts of a model that have to fit together.
pub(super) struct Probe<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) tokenizer: &'a TextTokenizer,
    pub(super) backend: &'a dyn Backend,
    pub(super) kind: ModelKind,
    pub(super) reads: Reads,
}

/// What a graph gives for each text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputForm {
    /// A row for each token.
    Tokens,
    /// One row.
    Text,
}

/// What the first runs of a model show.
pub(super) struct Findings {
    /// Columns of the output.
    pub(super) width: usize,
    pub(super) form: OutputForm,
    pub(super) padding: Padding,
}

impl Probe<'_> {
    /// Compares the backend's information with the configuration, then runs it
    /// on a short text with the vocabulary's largest id, on that text in a
    /// batch with a longer one, and perhaps at full length, see
    /// [`check_length`](Self::check_length).
    pub(super) fn check(&self, plan: &Plan) -> Result<Findings> {
        let info = self.backend.info();
        if let Some(stated) = self.config.uses_token_type_ids
            && stated != info.uses_token_type_ids
        {
            return Err(self.config.error(
                "uses_token_type_ids",
                format!("{}, as in {}", info.uses_token_type_ids, info.model_file),
                stated.to_string(),
            ));
        }
        if self.kind == ModelKind::MultiVector {
            self.check_dim(info.dim)?;
        }
        let shapes = self.backend.scheduling().batch_shapes;
        let texts = Texts::new(self.tokenizer, shapes, plan.longest());
        let alone = self.run_alone(texts.alone())?;
        let form = self.form(&alone, texts.alone().length)?;
        if self.kind == ModelKind::MultiVector {
            self.check_dim(Some(alone.dim))?;
        }
        let is_multi_vector = self.kind == ModelKind::MultiVector;
        if is_multi_vector && plan.normalization == Normalization::Off && is_normalized(&alone) {
            return Err(Error::model_mismatch(
                &info.model_file,
                "normalization",
                "a final L2 normalization that can be removed, or none",
                "rows of length 1",
            ));
        }
        let padding = texts.padding(&alone, &|batch| self.run_several(batch))?;
        self.check_length(plan, 0)?;
        Ok(Findings {
            width: alone.dim,
            form,
            padding,
        })
    }

    /// What the graph gives for a text of `length` tokens.
    fn form(&self, alone: &TokenStates, length: usize) -> Result<OutputForm> {
        let rows = alone.data.len().checked_div(alone.dim).unwrap_or(0);
        let form = match rows {
            1 if self.reads == Reads::Text || length > 1 => OutputForm::Text,
            _ => OutputForm::Tokens,
        };
        let expected = match (self.reads, form) {
            (Reads::Tokens, OutputForm::Text) => "a vector for each token",
            (Reads::Text, OutputForm::Tokens) => "one vector for each text",
            _ => return Ok(form),
        };
        Err(Error::model_mismatch(
            &self.backend.info().model_file,
            "output",
            expected,
            format_args!("{rows} for a text of {length} tokens"),
        ))
    }

    /// Checks the length of `plan` if it exceeds the configured lengths and
    /// `known`, a length that the model has run at: by the positions that its
    /// files state, else by a run.
    pub(super) fn check_length(&self, plan: &Plan, known: usize) -> Result<()> {
        let longest = plan.longest();
        if longest <= self.configured_length().max(known) {
            return Ok(());
        }
        if let Some(positions) = plan.positions {
            // A run at that length would take seconds to tell the same.
            if longest > positions {
                return Err(Error::model_mismatch(
                    &self.backend.info().model_file,
                    "input `input_ids`",
                    format_args!("texts of at most {positions} tokens, the model's positions"),
                    longest,
                ));
            }
        } else {
            let mut ids = vec![i64::from(self.tokenizer.largest_id()); longest];
            ids[0] = i64::from(self.tokenizer.pad_id());
            self.run_alone(TokenBatch::unpadded(1, ids))?;
        }
        Ok(())
    }

    fn configured_length(&self) -> usize {
        self.config.query_length.max(self.config.document_length)
    }

    /// Runs one text.
    fn run_alone(&self, text: TokenBatch) -> Result<TokenStates> {
        let (length, largest) = (text.length, self.tokenizer.largest_id());
        self.run(
            &text,
            "input `input_ids`",
            format_args!(
                "a model that takes {length} tokens and ids up to {largest}, \
                 the largest of the tokenizer"
            ),
        )
    }

    /// Runs several texts.
    fn run_several(&self, batch: &TokenBatch) -> Result<TokenStates> {
        let TokenBatch { rows, length, .. } = batch;
        self.run(
            batch,
            "batches",
            format_args!("a model that takes batches of any shape, such as [{rows}, {length}]"),
        )
    }

    fn run(
        &self,
        batch: &TokenBatch,
        what: &'static str,
        expected: impl fmt::Display,
    ) -> Result<TokenStates> {
        let file = &self.backend.info().model_file;
        let states = self.backend.run(batch, RunMode::Exclusive);
        let states = states.map_err(|error| match error {
            Error::Inference { source, .. } => Error::model_mismatch(file, what, expected, source),
            other => other,
        })?;
        let values = batch.rows * batch.length * states.dim;
        if ![values, batch.rows * states.dim].contains(&states.data.len()) {
            let found = format_args!("{} values", states.data.len());
            let expected = format_args!("{values} values");
            return Err(Error::model_mismatch(file, "output", expected, found));
        }
        Ok(states)
    }

    fn check_dim(&self, dim: Option<usize>) -> Result<()> {
        match (self.config.embedding_dim, dim) {
            (Some(stated), Some(found)) if stated != found => Err(self.config.error(
                "embedding_dim",
                format!("{found}, as in {}", self.backend.info().model_file),
                stated.to_string(),
            )),
            _ => Ok(()),
        }
    }
}

fn is_normalized(states: &TokenStates) -> bool {
    states.data.chunks(states.dim.max(1)).all(|row| {
        let square: f32 = row.iter().map(|value| value * value).sum();
        (square - 1.0).abs() < 1e-4
    })
}
