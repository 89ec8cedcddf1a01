//! Texts to embeddings, over any backend.

mod control;
mod options;
mod probe;
mod run;
mod stream;
mod workers;

use std::fmt;
use std::sync::Arc;

use crate::backend::{Backend, BackendInfo};
use crate::config::{ModelConfig, TextKind};
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::fingerprint::{Fingerprint, WeightsHasher};
use crate::tokenize::{TextTokenizer, TokenizedText};
pub use control::{Cancellation, Control, Progress};
use options::Plan;
pub use options::{EncodeOptions, Normalization, QueryExpansion};
use probe::Probe;
pub use run::EncodeJob;
pub use stream::EmbeddingStream;
use workers::Workers;

/// Fewest bytes of text that are tokenized on several threads: below, starting
/// them takes longer than they save.
const BYTES_FOR_THREADS: usize = 4 << 10;

/// Everything of a model but its graph.
#[derive(Clone)]
pub struct ModelParts {
    config: ModelConfig,
    tokenizer: TextTokenizer,
    tokenizer_hash: blake3::Hash,
}

impl ModelParts {
    /// Reads configuration and tokenizer; each comes with the name that
    /// messages use for it.
    ///
    /// # Errors
    /// Those of [`ModelConfig::from_json`] and [`TextTokenizer::from_json`].
    pub fn from_json(config: (&str, &[u8]), tokenizer: (&str, &[u8])) -> Result<Self> {
        let config = ModelConfig::from_json(config.0, config.1)?;
        let text_tokenizer = TextTokenizer::from_json(tokenizer.0, tokenizer.1, &config)?;
        Ok(Self {
            config,
            tokenizer: text_tokenizer,
            tokenizer_hash: blake3::hash(tokenizer.1),
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

/// A loaded late-interaction encoder.
///
/// Cheap to clone, and safe to call from many threads at once.
#[derive(Clone)]
pub struct Encoder {
    shared: Arc<Shared>,
    plan: Plan,
    control: Control,
    fingerprint: Fingerprint,
    // The longest input that the backend was seen to take.
    proven_length: usize,
}

struct Shared {
    config: ModelConfig,
    tokenizer: TextTokenizer,
    tokenizer_hash: blake3::Hash,
    weights: WeightsHasher,
    backend: Box<dyn Backend>,
    // What the loaded graph gives; fixed when the graph was loaded.
    normalization: Normalization,
    dim: usize,
}

impl Encoder {
    /// Puts an encoder together and runs its backend once on a few tokens, so
    /// that a model that cannot work is refused here.
    ///
    /// `weights` hashes the model file as published. With
    /// [`Normalization::Off`] the backend's graph must already be without a
    /// final normalization, see [`multivec_graph`].
    ///
    /// # Errors
    /// [`Error::ConfigValue`] and [`Error::ModelMismatch`] where parts of the
    /// model contradict each other, [`Error::InvalidOption`] for options out
    /// of range, [`Error::Inference`] if the backend fails.
    pub fn new(
        parts: ModelParts,
        backend: Box<dyn Backend>,
        weights: WeightsHasher,
        options: &EncodeOptions,
    ) -> Result<Self> {
        let plan = options.plan(&parts.config, &parts.tokenizer)?;
        let dim = Probe {
            config: &parts.config,
            tokenizer: &parts.tokenizer,
            backend: backend.as_ref(),
        }
        .check(&plan)?;
        let shared = Shared {
            config: parts.config,
            tokenizer: parts.tokenizer,
            tokenizer_hash: parts.tokenizer_hash,
            weights,
            backend,
            normalization: plan.normalization,
            dim,
        };
        Ok(Self {
            fingerprint: shared.fingerprint(),
            shared: Arc::new(shared),
            proven_length: plan.longest(),
            control: Control::default(),
            plan,
        })
    }

    /// The same model with other options; nothing is loaded again.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options out of range, or for another
    /// normalization than the graph was loaded for,
    /// [`Error::ModelMismatch`] for lengths that the model does not take.
    pub fn with_options(&self, options: &EncodeOptions) -> Result<Self> {
        let plan = options.plan(&self.shared.config, &self.shared.tokenizer)?;
        if plan.normalization != self.shared.normalization {
            return Err(Error::option(
                "normalization",
                format!("{:?}, as the graph was loaded", self.shared.normalization),
                format!("{:?}", plan.normalization),
            ));
        }
        Probe {
            config: &self.shared.config,
            tokenizer: &self.shared.tokenizer,
            backend: self.shared.backend.as_ref(),
        }
        .check_length(&plan, self.proven_length)?;
        Ok(Self {
            shared: self.shared.clone(),
            proven_length: self.proven_length.max(plan.longest()),
            plan,
            control: self.control.clone(),
            fingerprint: self.fingerprint.clone(),
        })
    }

    /// The same encoder, with calls that can be cancelled, have a deadline or
    /// report their progress. Whatever control it had is replaced.
    #[must_use]
    pub fn with_control(&self, control: Control) -> Self {
        Self {
            control,
            ..self.clone()
        }
    }

    /// Encodes queries: one `[tokens, dim]` matrix a text, in input order.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] where truncation is ruled out,
    /// [`Error::Inference`] if the engine fails, [`Error::Cancelled`] and
    /// [`Error::DeadlineExceeded`] as the encoder's [`Control`] says.
    pub fn encode_queries<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Embedding>> {
        self.encode(texts, TextKind::Query)
    }

    /// Encodes documents: one `[tokens, dim]` matrix a text, in input order,
    /// without the rows of padding and of skiplist words.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_documents<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Embedding>> {
        self.encode(texts, TextKind::Document)
    }

    /// Encodes one query.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_query(&self, text: &str) -> Result<Embedding> {
        self.encode_one(text, TextKind::Query)
    }

    /// Encodes one document.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_document(&self, text: &str) -> Result<Embedding> {
        self.encode_one(text, TextKind::Document)
    }

    /// Encodes texts of either kind.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode<T: AsRef<str>>(&self, texts: &[T], kind: TextKind) -> Result<Vec<Embedding>> {
        self.encode_after(0, texts, kind)
    }

    /// Encodes documents as they are read, for corpora larger than memory:
    /// embeddings in input order, with at most 1024 texts read ahead.
    ///
    /// Positions in errors count from the first text of the stream.
    pub fn stream_documents<I>(&self, texts: I) -> EmbeddingStream<I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.stream(texts, TextKind::Document)
    }

    /// As [`stream_documents`](Self::stream_documents), for either kind.
    pub fn stream<I>(&self, texts: I, kind: TextKind) -> EmbeddingStream<I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        EmbeddingStream::new(self.clone(), texts.into_iter(), kind)
    }

    /// Tokenizes texts and plans their batches, to be run one by one.
    ///
    /// # Errors
    /// As [`tokenize`](Self::tokenize).
    pub fn start<T: AsRef<str>>(&self, texts: &[T], kind: TextKind) -> Result<EncodeJob> {
        let texts = self.tokenize(texts, kind)?;
        Ok(EncodeJob::new(self.clone(), texts, kind))
    }

    /// The ids, masks and kept rows that texts have in this encoder.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] where truncation is ruled out,
    /// [`Error::Tokenization`] if the tokenizer fails, [`Error::Cancelled`] and
    /// [`Error::DeadlineExceeded`] as the encoder's [`Control`] says.
    pub fn tokenize<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<TokenizedText>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        self.tokenize_after(0, &texts, kind, &mut Workers::default())
    }

    /// Tokenizes texts that come after `before` others.
    fn tokenize_after(
        &self,
        before: usize,
        texts: &[&str],
        kind: TextKind,
        workers: &mut Workers,
    ) -> Result<Vec<TokenizedText>> {
        let layout = self.plan.layout(kind);
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let most = match bytes < BYTES_FOR_THREADS {
            true => 1,
            false => self.shared.backend.scheduling().parallelism,
        };
        workers.map(
            self.shared.backend.scheduling().threads,
            (texts.len(), most),
            |at| {
                self.control.check(0)?;
                self.shared
                    .tokenizer
                    .tokenize(before + at, texts[at], layout)
            },
        )
    }

    /// Encodes a part of a stream, after `before` texts.
    fn encode_part<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
        before: usize,
    ) -> Result<Vec<Embedding>> {
        let encoder = self.with_control(self.control.after(before));
        encoder.encode_after(before, texts, kind)
    }

    /// Encodes texts that come after `before` others.
    fn encode_after<T: AsRef<str>>(
        &self,
        before: usize,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<Embedding>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let mut workers = Workers::default();
        let texts = self.tokenize_after(before, &texts, kind, &mut workers)?;
        EncodeJob::new(self.clone(), texts, kind).finish_on(&mut workers)
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.shared.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.shared.tokenizer
    }

    /// The engine, its provider and the precision that was taken.
    pub fn info(&self) -> &BackendInfo {
        self.shared.backend.info()
    }

    /// Columns of an embedding.
    pub fn dim(&self) -> usize {
        self.shared.dim
    }

    /// How many batches run at the same time.
    pub fn concurrency(&self) -> usize {
        self.shared.backend.scheduling().concurrency
    }

    /// Most tokens of a text of this kind, special tokens and marker included.
    pub fn length(&self, kind: TextKind) -> usize {
        self.plan.layout(kind).length
    }

    /// Identity of the embedding space, to be stored with vectors.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    fn encode_one(&self, text: &str, kind: TextKind) -> Result<Embedding> {
        let mut found = self.encode(&[text], kind)?;
        Ok(found.swap_remove(0))
    }
}

impl Shared {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(
            &self.weights,
            &self.tokenizer_hash,
            &self.config,
            self.normalization == Normalization::L2,
            self.backend.info(),
        )
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("info", self.info())
            .field("plan", &self.plan)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
