//! The check that graph, tokenizer and configuration fit together.

use crate::backend::{Backend, RunMode, TokenStates};
use crate::batch::TokenBatch;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::normalization::Normalization;
use crate::tokenize::TextTokenizer;

use super::options::Plan;

/// Tokens of a run that merely shows that the model works.
const SHORT: usize = 4;

/// The parts of a model that have to fit together.
pub(super) struct Probe<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) tokenizer: &'a TextTokenizer,
    pub(super) backend: &'a dyn Backend,
}

impl Probe<'_> {
    /// Compares the backend's information with the configuration, then runs it
    /// on the vocabulary's largest id, at full length where an option exceeds
    /// the configured lengths. Returns the columns of an embedding.
    pub(super) fn check(&self, plan: &Plan) -> Result<usize> {
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
        self.check_dim(info.dim)?;
        let longest = plan.longest();
        let exceeds = longest > self.configured_length();
        let states = self.run(if exceeds { longest } else { SHORT })?;
        self.check_dim(Some(states.dim))?;
        if plan.normalization == Normalization::Off && is_normalized(&states) {
            return Err(Error::model_mismatch(
                &info.model_file,
                "normalization",
                "a final L2 normalization that can be removed, or none",
                "rows of length 1",
            ));
        }
        Ok(states.dim)
    }

    /// Runs the model at the length of `plan` if that exceeds the configured
    /// lengths and `known`, a length that it has run at.
    pub(super) fn check_length(&self, plan: &Plan, known: usize) -> Result<()> {
        let longest = plan.longest();
        if longest > self.configured_length().max(known) {
            self.run(longest)?;
        }
        Ok(())
    }

    fn configured_length(&self) -> usize {
        self.config.query_length.max(self.config.document_length)
    }

    fn run(&self, length: usize) -> Result<TokenStates> {
        let largest = self.tokenizer.largest_id();
        let mut ids = vec![i64::from(largest); length];
        ids[0] = i64::from(self.tokenizer.pad_id());
        let batch = TokenBatch::unpadded(1, ids);
        let refused = |error| match error {
            Error::Inference { source, .. } => Error::model_mismatch(
                &self.backend.info().model_file,
                "input `input_ids`",
                format_args!(
                    "a model that takes {length} tokens and ids up to {largest}, \
                     the largest of the tokenizer"
                ),
                source,
            ),
            other => other,
        };
        self.backend
            .run(&batch, RunMode::Exclusive)
            .map_err(refused)
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
