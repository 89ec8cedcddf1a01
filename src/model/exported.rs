//! A whole graph with `onnx_config.json`, as `pylate-onnx-export` writes it.

use super::description::{Format, ModelDescription};
use super::files::Files;
use super::kind::HeadDescription;
use super::{EXPORTED, SENTENCE_TRANSFORMERS, TRANSFORMER, tokenizer, transformer};
use crate::config::ModelConfig;
use crate::error::Result;
use crate::normalization::Normalization;

pub(super) fn read(files: &Files) -> Result<ModelDescription> {
    let path = if files.has(EXPORTED) {
        EXPORTED
    } else {
        SENTENCE_TRANSFORMERS
    };
    let keys = files.require(path, "the configuration")?;
    let config = ModelConfig::from_keys(&keys)?;
    files.leave_unread(path, &keys, &["model_type", "__version__"]);
    let transformer = if files.has(TRANSFORMER) {
        Some(transformer::read(files, "")?)
    } else {
        None
    };
    Ok(ModelDescription {
        format: Format::Exported,
        head: HeadDescription::MultiVector,
        config,
        tokenizer: tokenizer::path(files, "")?,
        transformer,
        weights: transformer::graphs(files, ""),
        modules: Vec::new(),
        normalization: Normalization::L2,
        pooling: None,
        unused: Vec::new(),
    })
}
