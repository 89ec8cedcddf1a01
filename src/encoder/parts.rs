//! The parts of a model that the core reads itself.

use super::head_weights::load_head;
use super::heads::ModelHead;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::model::{ModelDescription, ModelKind, ModelStore};
use crate::normalization::Normalization;
use crate::pool::Pooling;
use crate::quantization::Quantization;
use crate::tokenize::TextTokenizer;

/// A model without its graph: configuration and tokenizer.
#[derive(Clone)]
pub struct ModelParts {
    pub(super) config: ModelConfig,
    pub(super) tokenizer: TextTokenizer,
    pub(super) tokenizer_hash: blake3::Hash,
    pub(super) defaults: Defaults,
    pub(super) head: ModelHead,
    pub(super) origin: Option<String>,
    pub(super) quantization: Quantization,
}

/// What the model's files say of choices that options leave to them.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) normalization: Normalization,
    pub(super) pooling: Option<Pooling>,
    /// Most tokens of an input, where they are stated.
    pub(super) positions: Option<usize>,
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
            defaults: Defaults {
                normalization: Normalization::L2,
                pooling: None,
                positions: None,
            },
            head: ModelHead::MultiVector,
            origin: None,
            quantization: Quantization::Stored,
        })
    }

    /// Reads the tokenizer of a model that was [described](crate::model::describe),
    /// and the weights of what is behind its graph.
    ///
    /// # Errors
    /// As [`TextTokenizer::from_json`], those of `store`, and
    /// [`Error::ModelMismatch`](crate::Error::ModelMismatch) for weights of
    /// other shapes than the files state.
    pub fn of(model: &ModelDescription, store: &impl ModelStore) -> Result<Self> {
        let path = &model.tokenizer;
        // In a block: its memory is free for the weights afterwards.
        let mut parts = {
            let json = store.read(path)?;
            Self::new(model.config.clone(), &store.name(path), &json)?
        };
        parts.defaults = Defaults {
            normalization: model.normalization,
            pooling: model.pooling,
            positions: model
                .transformer
                .as_ref()
                .and_then(|transformer| transformer.positions),
        };
        parts.head = load_head(model, &parts.tokenizer, store)?;
        Ok(parts)
    }

    /// Says where the model was published, see
    /// [`Encoder::origin`](super::Encoder::origin).
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Says what became of the weights, see
    /// [`BackendInfo::quantization`](crate::BackendInfo::quantization).
    #[must_use]
    pub fn with_quantization(mut self, quantization: Quantization) -> Self {
        self.quantization = quantization;
        self
    }

    /// Whether the model's own rows have unit length; never
    /// [`Normalization::Model`].
    pub fn normalization(&self) -> Normalization {
        self.defaults.normalization
    }

    /// The kind of model.
    pub fn kind(&self) -> ModelKind {
        self.head.kind()
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
