//! The ids of a model's special tokens, from configuration and vocabulary.

use tokenizers::{Model, PaddingDirection, Tokenizer};

use crate::config::{ModelConfig, PrefixStyle, Side, TextKind};
use crate::error::{Error, Result};

pub(super) struct SpecialIds {
    /// The token that expands queries.
    pub(super) mask: Option<u32>,
    pub(super) pad: u32,
    pub(super) largest: u32,
    /// That of words outside of the vocabulary.
    pub(super) unknown: Option<u32>,
}

impl SpecialIds {
    pub(super) fn resolve(file: &str, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<Self> {
        let vocabulary = Vocabulary::of(file, tokenizer)?;
        vocabulary.check_padding(config)?;
        let id = |key, id: Option<u32>| {
            id.map(|id| vocabulary.check_id(config, key, id))
                .transpose()
        };
        let spelled = |token: &Option<String>| tokenizer.token_to_id(token.as_deref()?);
        let facts = &config.tokenizer;
        let mask = match &config.expansion_token {
            Some(token) => Some(vocabulary.expansion_id(config, token)?),
            None => id("mask_token_id", config.mask_token_id)?
                .or_else(|| spelled(&facts.mask_token))
                .or_else(|| {
                    ["[MASK]", "<mask>"]
                        .iter()
                        .find_map(|token| tokenizer.token_to_id(token))
                })
                .or_else(|| spelled(&facts.eos_token)),
        };
        let pad = id("pad_token_id", config.pad_token_id)?
            .or_else(|| spelled(&facts.pad_token))
            .or(mask);
        Ok(Self {
            mask,
            pad: pad.unwrap_or(0),
            largest: vocabulary.largest,
            unknown: unknown_id(tokenizer, config),
        })
    }
}

/// A vocabulary that the configuration has to agree with.
pub(super) struct Vocabulary<'a> {
    file: &'a str,
    tokenizer: &'a Tokenizer,
    largest: u32,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn of(file: &'a str, tokenizer: &'a Tokenizer) -> Result<Self> {
        let Some(largest) = tokenizer.get_vocab(true).into_values().max() else {
            let source = "expected a vocabulary, found an empty one";
            return Err(Error::invalid_tokenizer(file, source));
        };
        Ok(Self {
            file,
            tokenizer,
            largest,
        })
    }

    /// Padding tokens on the left would precede the marker, and those of
    /// expansion the query, which no model was trained for.
    fn check_padding(&self, config: &ModelConfig) -> Result<()> {
        let facts = &config.tokenizer;
        let is_moved = config.prefix_style == PrefixStyle::Token || config.do_query_expansion;
        let own = self.tokenizer.get_padding();
        match facts.padding_side {
            Some(Side::Left) if is_moved => Err(Error::config_value(
                &facts.file,
                "padding_side",
                "padding on the right",
                "padding on the left",
            )),
            None if is_moved
                && own.is_some_and(|own| matches!(own.direction, PaddingDirection::Left)) =>
            {
                let source = "expected padding on the right, found padding on the left";
                Err(Error::invalid_tokenizer(self.file, source))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an id beyond the vocabulary.
    fn check_id(&self, config: &ModelConfig, key: &'static str, id: u32) -> Result<u32> {
        let Self { file, largest, .. } = self;
        if id > *largest {
            let expected = format!("an id of the vocabulary in {file} (0 to {largest})");
            return Err(config.error(key, expected, id));
        }
        Ok(id)
    }

    fn expansion_id(&self, config: &ModelConfig, token: &str) -> Result<u32> {
        self.tokenizer.token_to_id(token).ok_or_else(|| {
            config.error(
                "query_expansion",
                format_args!("a token of the vocabulary in {}", self.file),
                format_args!("{token:?}, which is not in it"),
            )
        })
    }

    /// The id of a prefix that is one token.
    pub(super) fn marker_id(&self, config: &ModelConfig, kind: TextKind) -> Result<u32> {
        let prefix = config.prefix(kind);
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
                    None => Ok(id),
                }
            }
            (None, Some(known)) => Ok(known),
            (None, None) => Err(config.error(
                kind.prefix_key(),
                format_args!("a token of the vocabulary in {file}, or the key `{key}`"),
                format_args!("{prefix:?}, which is not in it"),
            )),
        }
    }
}

/// The id that words outside of the vocabulary have.
pub(super) fn unknown_id(tokenizer: &Tokenizer, config: &ModelConfig) -> Option<u32> {
    use tokenizers::ModelWrapper;
    if let Some(token) = &config.tokenizer.unknown_token {
        return tokenizer.token_to_id(token);
    }
    let token = match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) => model.unk_token.clone(),
        ModelWrapper::WordLevel(model) => model.unk_token.clone(),
        ModelWrapper::BPE(model) => model.unk_token.clone()?,
        ModelWrapper::Unigram(model) => return model.token_to_id("<unk>"),
    };
    tokenizer.token_to_id(&token)
}
