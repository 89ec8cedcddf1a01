//! The check that graph, tokenizer and configuration belong together.

use crate::backend::{Backend, RunMode, TokenStates};
use crate::batch::TokenBatch;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::tokenize::TextTokenizer;

use super::options::{Normalization, Plan};

/// Tokens of a run that only has to show that the model works.
const SHORT: usize = 4;

/// The parts of a model that have to agree.
pub(super) struct Probe<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) tokenizer: &'a TextTokenizer,
    pub(super) backend: &'a dyn Backend,
}

impl Probe<'_> {
    /// Compares what the backend states with the configuration, then runs it
    /// on the vocabulary's largest id, and at full length where an option asks
    /// for more than the model was published with. Returns the columns of an
    /// embedding.
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
        let states = match plan.longest() {
            longest if longest > self.published() => self.run(longest)?,
            _ => self.run(SHORT)?,
        };
        self.check_dim(Some(states.dim))?;
        if plan.normalization == Normalization::Off && is_normalized(&states) {
            return Err(Error::ModelMismatch {
                file: info.model_file.clone(),
                what: "normalization".to_owned(),
                expected: "a final L2 normalization that can be removed, or none".to_owned(),
                found: "rows of length 1".to_owned(),
            });
        }
        Ok(states.dim)
    }

    /// Runs the model at the length of `plan` if it is longer than both the
    /// published one and `known`, one that has been run.
    pub(super) fn check_length(&self, plan: &Plan, known: usize) -> Result<()> {
        let longest = plan.longest();
        if longest > self.published().max(known) {
            self.run(longest)?;
        }
        Ok(())
    }

    fn published(&self) -> usize {
        self.config.query_length.max(self.config.document_length)
    }

    fn run(&self, length: usize) -> Result<TokenStates> {
        let largest = self.tokenizer.largest_id();
        let mut ids = vec![i64::from(largest); length];
        ids[0] = i64::from(self.tokenizer.pad_id());
        let batch = TokenBatch {
            rows: 1,
            length,
            input_ids: ids,
            attention_mask: vec![1; length],
        };
        self.backend
            .run(&batch, RunMode::Exclusive)
            .map_err(|error| match error {
                Error::Inference { source, .. } => Error::ModelMismatch {
                    file: self.backend.info().model_file.clone(),
                    what: "input `input_ids`".to_owned(),
                    expected: format!(
                        "a model that takes {length} tokens and ids up to {largest}, \
                     the largest of the tokenizer"
                    ),
                    found: source.to_string(),
                },
                other => other,
            })
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
