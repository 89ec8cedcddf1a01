//! From texts to embeddings, with any backend.

mod control;
mod options;
mod padding;
mod parts;
mod probe;
mod run;
mod stream;
mod workers;

use std::fmt;
use std::sync::Arc;

use crate::backend::{Backend, BackendInfo, Padding};
use crate::config::{ModelConfig, TextKind};
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::fingerprint::{Fingerprint, Space, WeightsHasher};
pub use crate::normalization::Normalization;
use crate::quantization::Quantization;
use crate::tokenize::{TextTokenizer, TokenizedText};
use crate::trace::{event, span};
pub use control::{Cancellation, Control, Progress};
use options::Plan;
pub use options::{EncodeOptions, QueryExpansion};
use parts::Defaults;
pub use parts::ModelParts;
use probe::{Findings, Probe};
pub use run::EncodeJob;
pub use stream::EmbeddingStream;
use workers::{Share, Workers};

/// Fewest bytes of text that are tokenized on several threads; with fewer,
/// starting the threads takes longer than they save.
const BYTES_FOR_THREADS: usize = 4 << 10;

/// A loaded late-interaction encoder.
///
/// Cheap to clone, and safe to call from many threads at once.
#[derive(Clone)]
pub struct Encoder {
    shared: Arc<Shared>,
    plan: Plan,
    control: Control,
    fingerprint: Fingerprint,
    /// The longest input that the backend has run.
    proven_length: usize,
}

/// Texts of one kind that come after `before` others.
#[derive(Clone, Copy)]
struct Call<'a> {
    before: usize,
    texts: &'a [&'a str],
    kind: TextKind,
}

struct Shared {
    config: ModelConfig,
    tokenizer: TextTokenizer,
    tokenizer_hash: blake3::Hash,
    weights: WeightsHasher,
    backend: Box<dyn Backend>,
    /// The backend's, with what the probe has found.
    info: BackendInfo,
    defaults: Defaults,
    origin: Option<String>,
    /// That of the loaded graph.
    normalization: Normalization,
    dim: usize,
}

impl Encoder {
    /// Makes an encoder and runs its backend on a few tokens, so that a model
    /// that cannot work is refused here, as is one that runs single texts only.
    /// Where a text's vectors change with padding, only texts of equal length
    /// will share a batch, see [`BackendInfo::padding`].
    ///
    /// `weights` has hashed the original model file. With
    /// [`Normalization::Off`], the backend's graph must have no final
    /// normalization, see
    /// [`remove_final_normalization`](multivec_graph::passes::remove_final_normalization).
    ///
    /// # Errors
    /// [`Error::ConfigValue`] and [`Error::ModelMismatch`] if parts of the
    /// model contradict each other, [`Error::InvalidOption`] for options out
    /// of range, [`Error::Inference`] if the backend fails.
    pub fn new(
        parts: ModelParts,
        backend: Box<dyn Backend>,
        weights: WeightsHasher,
        options: &EncodeOptions,
    ) -> Result<Self> {
        let BackendInfo {
            engine, model_file, ..
        } = backend.info();
        span!("check_model", engine = engine, file = model_file);
        let plan = options.plan(&parts.config, &parts.tokenizer, parts.defaults)?;
        let Findings { dim, padding } = Probe {
            config: &parts.config,
            tokenizer: &parts.tokenizer,
            backend: backend.as_ref(),
        }
        .check(&plan)?;
        plan.check_padding(padding)?;
        if let Padding::Avoided { distance } = padding {
            event!(
                WARN,
                distance = distance,
                "padding changes vectors: only texts of equal length share a batch"
            );
        }
        if let Quantization::Refused { reason } = &parts.quantization {
            event!(
                WARN,
                reason = reason.as_str(),
                "weights run as they are stored, since they could not be quantized"
            );
        }
        let info = BackendInfo {
            padding,
            quantization: parts.quantization,
            ..backend.info().clone()
        };
        let shared = Shared {
            config: parts.config,
            tokenizer: parts.tokenizer,
            tokenizer_hash: parts.tokenizer_hash,
            weights,
            backend,
            info,
            defaults: parts.defaults,
            origin: parts.origin,
            normalization: plan.normalization,
            dim,
        };
        let fingerprint = shared.fingerprint();
        event!(
            INFO,
            space = fingerprint.space(),
            computed = fingerprint.computed(),
            "encoder loaded"
        );
        Ok(Self {
            fingerprint,
            shared: Arc::new(shared),
            proven_length: plan.longest(),
            control: Control::default(),
            plan,
        })
    }

    /// The same model with other options; nothing is loaded again.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options out of range, or for a
    /// normalization other than that of the loaded graph,
    /// [`Error::ModelMismatch`] for lengths that the model does not accept.
    pub fn with_options(&self, options: &EncodeOptions) -> Result<Self> {
        let plan = options.plan(
            &self.shared.config,
            &self.shared.tokenizer,
            self.shared.defaults,
        )?;
        if plan.normalization != self.shared.normalization {
            return Err(Error::option(
                "normalization",
                format_args!("{:?}, as the graph was loaded", self.shared.normalization),
                format_args!("{:?}", plan.normalization),
            ));
        }
        plan.check_padding(self.shared.info.padding)?;
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

    /// The same encoder with calls that can be cancelled, have a deadline or
    /// report their progress. Replaces a previous control.
    #[must_use]
    pub fn with_control(&self, control: Control) -> Self {
        Self {
            control,
            ..self.clone()
        }
    }

    /// Encodes queries: one `[tokens, dim]` matrix per text, in input order.
    ///
    /// # Errors
    /// As [`tokenize`](Self::tokenize), [`Error::NonFiniteVector`] if a vector
    /// is NaN or infinite, and [`Error::Inference`] if the engine fails.
    pub fn encode_queries<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Embedding>> {
        self.encode(texts, TextKind::Query)
    }

    /// Encodes documents: one `[tokens, dim]` matrix per text, in input order,
    /// without the rows of skiplist words.
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

    /// Encodes texts of either kind, and fails them one by one: what is wrong
    /// with one of them, see [`Error::text`], leaves the others unaffected.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode) that are about no text.
    pub fn encode_each<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<Result<Embedding>>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let call = Call {
            before: 0,
            texts: &texts,
            kind,
        };
        let mut workers = Workers::default();
        let texts = self.tokenize_call(call, &mut workers, |text| match text {
            Err(error) if error.text().is_none() => Err(error),
            text => Ok(text),
        })?;
        EncodeJob::of_each(self.clone(), texts, kind).finish_each_on(&mut workers)
    }

    /// Encodes documents while they are read, for corpora larger than memory:
    /// embeddings in input order, with at most 1024 texts read ahead.
    ///
    /// Errors state positions from the start of the stream.
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

    /// Tokenizes texts and plans their batches, to be run step by step.
    ///
    /// # Errors
    /// As [`tokenize`](Self::tokenize).
    pub fn start<T: AsRef<str>>(&self, texts: &[T], kind: TextKind) -> Result<EncodeJob> {
        let texts = self.tokenize(texts, kind)?;
        Ok(EncodeJob::new(self.clone(), texts, kind))
    }

    /// Tokenizes texts as this encoder does before it encodes them.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] with
    /// [`TruncationPolicy::Error`](crate::tokenize::TruncationPolicy::Error),
    /// [`Error::Tokenization`] if the tokenizer fails, [`Error::Cancelled`] and
    /// [`Error::DeadlineExceeded`] as the encoder's [`Control`] says.
    pub fn tokenize<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<TokenizedText>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let call = Call {
            before: 0,
            texts: &texts,
            kind,
        };
        self.tokenize_call(call, &mut Workers::default(), |text| text)
    }

    /// Tokenizes the texts of a call, and passes each result to `each`, whose
    /// failures end the call.
    fn tokenize_call<T: Send>(
        &self,
        call: Call<'_>,
        workers: &mut Workers,
        each: impl Fn(Result<TokenizedText>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let Call {
            before,
            texts,
            kind,
        } = call;
        let layout = self.plan.layout(kind);
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        span!("tokenize", texts = texts.len(), bytes = bytes);
        let scheduling = self.shared.backend.scheduling();
        let share = Share {
            count: texts.len(),
            most: if bytes < BYTES_FOR_THREADS {
                1
            } else {
                scheduling.parallelism
            },
            lent: scheduling.threads,
        };
        workers.map(share, |at| {
            self.control.check(0)?;
            let tokenizer = &self.shared.tokenizer;
            each(tokenizer.tokenize(before + at, texts[at], layout))
        })
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
        let call = Call {
            before,
            texts: &texts,
            kind,
        };
        let mut workers = Workers::default();
        let texts = self.tokenize_call(call, &mut workers, |text| text)?;
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

    /// The engine, its provider, and the precision and form of the graph.
    pub fn info(&self) -> &BackendInfo {
        &self.shared.info
    }

    /// Columns of an embedding.
    pub fn dim(&self) -> usize {
        self.shared.dim
    }

    /// How many batches run in parallel.
    pub fn concurrency(&self) -> usize {
        self.shared.backend.scheduling().concurrency
    }

    /// Most tokens of a text of this kind, including special tokens and marker.
    pub fn length(&self, kind: TextKind) -> usize {
        self.plan.layout(kind).length
    }

    /// Identity of the embedding space, to be stored with the vectors.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Where the model was published, if it was loaded by its id: repository
    /// and commit, such as `org/name@commit`.
    pub fn origin(&self) -> Option<&str> {
        self.shared.origin.as_deref()
    }

    fn encode_one(&self, text: &str, kind: TextKind) -> Result<Embedding> {
        let mut found = self.encode(&[text], kind)?;
        Ok(found.swap_remove(0))
    }
}

impl Shared {
    fn fingerprint(&self) -> Fingerprint {
        let space = Space {
            weights: &self.weights,
            tokenizer: &self.tokenizer_hash,
            config: &self.config,
            normalization: self.normalization,
        };
        Fingerprint::new(&space, &self.info)
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
