//! Stanford's ColBERT: one file of weights, and `artifact.metadata`.

use super::description::{Format, ModelDescription};
use super::files::Files;
use super::kind::HeadDescription;
use super::layers::{Dense, DenseWeights, Module, Residual};
use super::{TRANSFORMER, tokenizer, transformer};
use crate::activation::Activation;
use crate::config::{Keys, ModelConfig, TokenizerFacts, punctuation};
use crate::error::{Error, Result};
use crate::normalization::Normalization;

const METADATA: &str = "artifact.metadata";

/// Whether the transformer is Stanford's class.
pub(super) fn is_in(files: &Files) -> Result<bool> {
    let Some(keys) = files.keys(TRANSFORMER)? else {
        return Ok(false);
    };
    let architectures = keys.strings("architectures")?.unwrap_or_default();
    Ok(architectures.iter().any(|name| name == "HF_ColBERT"))
}

pub(super) fn read(files: &Files) -> Result<ModelDescription> {
    let keys = match files.keys(METADATA)? {
        Some(keys) => keys,
        None => Keys::of(&files.name(TRANSFORMER), serde_json::Map::new()),
    };
    let transformer = transformer::read(files, "")?;
    let tokenizer = tokenizer::read(files, "")?;
    let Some(in_features) = transformer.hidden_size else {
        return Err(Error::config_value(
            files.name(TRANSFORMER),
            "hidden_size",
            "the columns of a token state",
            "none",
        ));
    };
    let projection = Dense {
        folder: String::new(),
        weights: DenseWeights::Transformer,
        in_features,
        out_features: keys.count("dim")?.unwrap_or(128),
        bias: false,
        activation: Activation::Identity,
        residual: Residual::None,
    };
    Ok(ModelDescription {
        format: Format::Stanford,
        head: HeadDescription::MultiVector,
        config: ModelConfig {
            tokenizer: TokenizerFacts {
                // Queries are padded with the mask token.
                pad_token: None,
                ..tokenizer.facts
            },
            ..config(&keys)?
        },
        tokenizer: tokenizer.path,
        weights: transformer::weights(files, "")?,
        transformer: Some(transformer),
        modules: vec![Module::Dense(projection)],
        normalization: Normalization::L2,
        pooling: None,
        unused: Vec::new(),
    })
}

/// The layout of texts, with Stanford's defaults.
fn config(keys: &Keys) -> Result<ModelConfig> {
    let marker = |key, default: &str| {
        let spelling = keys.string(key)?;
        Ok::<_, Error>(spelling.unwrap_or_else(|| default.to_owned()))
    };
    let skips = keys.boolean("mask_punctuation")?.unwrap_or(true);
    Ok(ModelConfig {
        query_prefix: marker("query_token_id", "[unused0]")?,
        document_prefix: marker("doc_token_id", "[unused1]")?,
        query_length: keys.count("query_maxlen")?.unwrap_or(32),
        document_length: keys.count("doc_maxlen")?.unwrap_or(220),
        do_query_expansion: true,
        attend_to_expansion_tokens: keys.boolean("attend_to_mask_tokens")?.unwrap_or(false),
        skiplist_words: if skips { punctuation() } else { Vec::new() },
        ..ModelConfig::empty(keys.file())
    })
}
