//! PyLate 1.x: `config_sentence_transformers.json` and Dense modules.

use serde_json::Value;

use super::dense::{self, Rows, WithoutActivation};
use super::description::{Format, ModelDescription};
use super::files::{Files, join};
use super::kind::HeadDescription;
use super::layers::{Dense, Module};
use super::modules::{self, Entry, Kind};
use super::{SENTENCE_TRANSFORMERS, sentence_bert, tokenizer, transformer};
use crate::config::{Keys, ModelConfig, TokenizerFacts, shorten};
use crate::error::{Error, Result};
use crate::normalization::Normalization;

/// Keys that only PyLate writes.
pub(super) const KEYS: [&str; 4] = [
    "query_prefix",
    "document_prefix",
    "query_length",
    "document_length",
];

pub(super) fn read(files: &Files) -> Result<ModelDescription> {
    let keys = files.require(SENTENCE_TRANSFORMERS, "the configuration")?;
    let mut config = ModelConfig::read(&keys)?;
    keys.string("model_type")?;
    refuse_default_prompt(&keys)?;
    let entries = modules::read(files)?;
    let (folder, rest) = modules::split(&entries);
    let transformer = transformer::read(files, folder)?;
    let tokenizer = tokenizer::read(files, folder)?;
    let (text_file, text) = sentence_bert::read(files, folder)?;
    config.do_lower_case |= text.boolean("do_lower_case")?.unwrap_or(false);
    config.tokenizer = TokenizerFacts {
        // PyLate pads with the mask token.
        pad_token: None,
        ..tokenizer.facts
    };
    let chain = chain(files, rest)?;
    dense::check_widths(files, &transformer, chain.iter())?;
    check_dim(files, &config, chain.last())?;
    files.leave_unread(SENTENCE_TRANSFORMERS, &keys, &["__version__"]);
    files.leave_unread(&text_file, &text, &[]);
    Ok(ModelDescription {
        format: Format::PyLate,
        head: HeadDescription::MultiVector,
        config,
        tokenizer: tokenizer.path,
        weights: transformer::weights(files, folder)?,
        transformer: Some(transformer),
        modules: chain.into_iter().map(Module::Dense).collect(),
        normalization: Normalization::L2,
        pooling: None,
        unused: Vec::new(),
    })
}

/// PyLate puts a default prompt in front of queries and documents alike, before
/// their marker is inserted.
fn refuse_default_prompt(keys: &Keys) -> Result<()> {
    let prompts = keys.object("prompts")?;
    let Some(name) = keys.string("default_prompt_name")? else {
        return Ok(());
    };
    let is_empty = |value: &Value| value.as_str().is_some_and(str::is_empty);
    match prompts.as_ref().and_then(|prompts| prompts.get(&name)) {
        Some(prompt) if !is_empty(prompt) => Err(keys.error(
            "default_prompt_name",
            "none, or the name of an empty prompt",
            format_args!("{name:?}, of {}", shorten(prompt)),
        )),
        _ => Ok(()),
    }
}

/// PyLate keeps Dense modules and drops all others.
fn chain(files: &Files, entries: &[Entry]) -> Result<Vec<Dense>> {
    let mut chain = Vec::new();
    for entry in entries {
        if entry.kind == Kind::Dense {
            let otherwise = if entry.class.starts_with("pylate.") {
                WithoutActivation::Refused
            } else {
                WithoutActivation::Tanh
            };
            chain.push(dense::read(files, entry, Rows::Tokens, &otherwise)?);
        } else {
            let reason = "PyLate uses the transformer and Dense modules alone";
            files.leave_file(&join(&entry.folder, "config.json"), reason);
        }
    }
    Ok(chain)
}

fn check_dim(files: &Files, config: &ModelConfig, last: Option<&Dense>) -> Result<()> {
    match (config.embedding_dim, last) {
        (Some(stated), Some(dense)) if stated != dense.out_features => Err(Error::config_value(
            &config.file,
            "embedding_dim",
            format_args!(
                "{}, the `out_features` of {}",
                dense.out_features,
                files.name(&join(&dense.folder, "config.json"))
            ),
            stated,
        )),
        _ => Ok(()),
    }
}
