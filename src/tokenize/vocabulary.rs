//! The ids of a model's special tokens, from configuration and vocabulary.

use tokenizers::{Model, PaddingDirection, Tokenizer};

use crate::config::{ModelConfig, TextKind};
use crate::error::{Error, Result};

pub(super) struct SpecialIds {
    query_prefix: Option<u32>,
    document_prefix: Option<u32>,
    pub(super) mask: Option<u32>,
    pub(super) pad: u32,
    /// Sorted.
    pub(super) skiplist: Vec<u32>,
    pub(super) largest: u32,
}

impl SpecialIds {
    pub(super) fn resolve(file: &str, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<Self> {
        let vocabulary = tokenizer.get_vocab(true);
        let Some(largest) = vocabulary.values().copied().max() else {
            return Err(Error::InvalidTokenizer {
                file: file.to_owned(),
                source: "expected a vocabulary, found an empty one".into(),
            });
        };
        // Tokens would come before the marker, where no model was trained.
        if let Some(padding) = tokenizer.get_padding()
            && matches!(padding.direction, PaddingDirection::Left)
        {
            return Err(Error::InvalidTokenizer {
                file: file.to_owned(),
                source: "expected padding on the right, found padding on the left".into(),
            });
        }
        let within = |key, id: Option<u32>| match id {
            Some(id) if id > largest => Err(config.error(
                key,
                format!("an id of the vocabulary in {file} (0 to {largest})"),
                id.to_string(),
            )),
            other => Ok(other),
        };
        let mask = within("mask_token_id", config.mask_token_id)?.or_else(|| {
            ["[MASK]", "<mask>"]
                .iter()
                .find_map(|token| tokenizer.token_to_id(token))
        });
        let pad = within("pad_token_id", config.pad_token_id)?.or(mask);
        let unknown = unknown_id(tokenizer);
        let mut skiplist: Vec<u32> = config
            .skiplist_words
            .iter()
            // PyLate's `convert_tokens_to_ids` gives the unknown token's id
            // for a word that the vocabulary lacks.
            .filter_map(|word| tokenizer.token_to_id(word).or(unknown))
            .collect();
        skiplist.sort_unstable();
        skiplist.dedup();
        Ok(Self {
            query_prefix: prefix_id(file, tokenizer, config, TextKind::Query, largest)?,
            document_prefix: prefix_id(file, tokenizer, config, TextKind::Document, largest)?,
            mask,
            pad: pad.unwrap_or(0),
            skiplist,
            largest,
        })
    }

    pub(super) fn prefix(&self, kind: TextKind) -> Option<u32> {
        match kind {
            TextKind::Query => self.query_prefix,
            TextKind::Document => self.document_prefix,
        }
    }
}

fn prefix_id(
    file: &str,
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    kind: TextKind,
    largest: u32,
) -> Result<Option<u32>> {
    let prefix = config.prefix(kind);
    if prefix.is_empty() {
        return Ok(None);
    }
    let known = tokenizer.token_to_id(prefix);
    let key = kind.prefix_id_key();
    match (config.prefix_id(kind), known) {
        (Some(id), _) if id > largest => Err(config.error(
            key,
            format!("an id of the vocabulary in {file} (0 to {largest})"),
            id.to_string(),
        )),
        (Some(id), Some(known)) if id != known => Err(config.error(
            key,
            format!("{known}, the id of {prefix:?} in {file}"),
            id.to_string(),
        )),
        (Some(id), _) => Ok(Some(id)),
        (None, Some(known)) => Ok(Some(known)),
        (None, None) => Err(config.error(
            kind.prefix_key(),
            format!("a token of the vocabulary in {file}, or the key `{key}`"),
            format!("{prefix:?}, which is not in it"),
        )),
    }
}

fn unknown_id(tokenizer: &Tokenizer) -> Option<u32> {
    use tokenizers::ModelWrapper;
    let token = match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) => model.unk_token.clone(),
        ModelWrapper::WordLevel(model) => model.unk_token.clone(),
        ModelWrapper::BPE(model) => model.unk_token.clone()?,
        ModelWrapper::Unigram(model) => return model.token_to_id("<unk>"),
    };
    tokenizer.token_to_id(&token)
}
