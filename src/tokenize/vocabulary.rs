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
        let Some(largest) = tokenizer.get_vocab(true).into_values().max() else {
            let source = "expected a vocabulary, found an empty one";
            return Err(Error::invalid_tokenizer(file, source));
        };
        // Padding tokens would precede the marker, which no model was trained
        // for.
        if let Some(padding) = tokenizer.get_padding()
            && matches!(padding.direction, PaddingDirection::Left)
        {
            let source = "expected padding on the right, found padding on the left";
            return Err(Error::invalid_tokenizer(file, source));
        }
        let vocabulary = Vocabulary {
            file,
            tokenizer,
            largest,
        };
        let id = |key, id: Option<u32>| {
            id.map(|id| vocabulary.check_id(config, key, id))
                .transpose()
        };
        let mask = id("mask_token_id", config.mask_token_id)?.or_else(|| {
            ["[MASK]", "<mask>"]
                .iter()
                .find_map(|token| tokenizer.token_to_id(token))
        });
        let pad = id("pad_token_id", config.pad_token_id)?.or(mask);
        let unknown = unknown_id(tokenizer);
        let mut skiplist: Vec<u32> = config
            .skiplist_words
            .iter()
            // As PyLate's `convert_tokens_to_ids`: the unknown token's id for
            // words that are not in the vocabulary.
            .filter_map(|word| tokenizer.token_to_id(word).or(unknown))
            .collect();
        skiplist.sort_unstable();
        skiplist.dedup();
        Ok(Self {
            query_prefix: vocabulary.prefix_id(config, TextKind::Query)?,
            document_prefix: vocabulary.prefix_id(config, TextKind::Document)?,
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

/// A vocabulary that the configuration has to agree with.
struct Vocabulary<'a> {
    file: &'a str,
    tokenizer: &'a Tokenizer,
    largest: u32,
}

impl Vocabulary<'_> {
    /// Refuses an id beyond the vocabulary.
    fn check_id(&self, config: &ModelConfig, key: &'static str, id: u32) -> Result<u32> {
        let Self { file, largest, .. } = self;
        if id > *largest {
            let expected = format!("an id of the vocabulary in {file} (0 to {largest})");
            return Err(config.error(key, expected, id));
        }
        Ok(id)
    }

    fn prefix_id(&self, config: &ModelConfig, kind: TextKind) -> Result<Option<u32>> {
        let prefix = config.prefix(kind);
        if prefix.is_empty() {
            return Ok(None);
        }
        let file = self.file;
        let key = kind.prefix_id_key();
        match (config.prefix_id(kind), self.tokenizer.token_to_id(prefix)) {
            (Some(id), known) => {
                self.check_id(config, key, id)?;
                match known.filter(|&known| known != id) {
                    Some(known) => Err(config.error(
                        key,
                        format_args!("{known}, the id of {prefix:?} in {file}"),
                        id,
                    )),
                    None => Ok(Some(id)),
                }
            }
            (None, Some(known)) => Ok(Some(known)),
            (None, None) => Err(config.error(
                kind.prefix_key(),
                format_args!("a token of the vocabulary in {file}, or the key `{key}`"),
                format_args!("{prefix:?}, which is not in it"),
            )),
        }
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
