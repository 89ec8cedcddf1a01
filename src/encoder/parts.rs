//! The parts of a model that the core reads itself.

use crate::config::ModelConfig;
use crate::error::Result;
use crate::tokenize::TextTokenizer;

/// A model without its graph: configuration and tokenizer.
#[derive(Clone)]
pub struct ModelParts {
    pub(super) config: ModelConfig,
    pub(super) tokenizer: TextTokenizer,
    pub(super) tokenizer_hash: blake3::Hash,
}

impl ModelParts {
    /// Reads the content of a `tokenizer.json` for a configuration; `file`
    /// names the tokenizer in messages.
    ///
    /// # Errors
    /// As [`TextTokenizer::from_json`].
    pub fn new(config: ModelConfig, file: &str, tokenizer: &[u8]) -> Result<Self> {
        Ok(Self {
            tokenizer: TextTokenizer::from_json(file, tokenizer, &config)?,
            config,
            tokenizer_hash: blake3::hash(tokenizer),
        })
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }
}
