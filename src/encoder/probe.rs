//! The check that graph, tokenizer and configuration belong together.

use crate::backend::Backend;
use crate::batch::TokenBatch;
use crate::error::{Error, Result};

use super::ModelParts;
use super::options::Plan;

/// Compares what the backend states with the configuration, then runs it on
/// the vocabulary's largest id, and at full length where an option asks for
/// more than the model was published with.
pub(super) fn check(parts: &ModelParts, backend: &dyn Backend, plan: &Plan) -> Result<()> {
    let config = &parts.config;
    let info = backend.info();
    if let Some(stated) = config.uses_token_type_ids
        && stated != info.uses_token_type_ids
    {
        return Err(config.error(
            "uses_token_type_ids",
            format!("{}, as in {}", info.uses_token_type_ids, info.model_file),
            stated.to_string(),
        ));
    }
    check_dim(parts, backend, info.dim)?;

    let longest = plan.query.length.max(plan.document.length);
    let published = config.query_length.max(config.document_length);
    let length = if longest > published { longest } else { 4 };
    let largest = parts.tokenizer.largest_id();
    let mut ids = vec![i64::from(largest); length];
    ids[0] = i64::from(parts.tokenizer.pad_id());
    let batch = TokenBatch {
        rows: 1,
        length,
        input_ids: ids,
        attention_mask: vec![1; length],
    };
    let states = backend.run(&batch).map_err(|error| match error {
        Error::Inference { source, .. } => Error::ModelMismatch {
            file: info.model_file.clone(),
            what: "input `input_ids`".to_owned(),
            expected: format!(
                "a model that takes {length} tokens and ids up to {largest}, \
                 the largest of the tokenizer"
            ),
            found: source.to_string(),
        },
        other => other,
    })?;
    check_dim(parts, backend, Some(states.dim))
}

fn check_dim(parts: &ModelParts, backend: &dyn Backend, dim: Option<usize>) -> Result<()> {
    match (parts.config.embedding_dim, dim) {
        (Some(stated), Some(found)) if stated != found => Err(parts.config.error(
            "embedding_dim",
            format!("{found}, as in {}", backend.info().model_file),
            stated.to_string(),
        )),
        _ => Ok(()),
    }
}
