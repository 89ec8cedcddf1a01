//! From texts to embeddings, with any backend.

mod any;
mod control;
mod encode;
mod head_weights;
mod heads;
mod kinds;
mod options;
mod padding;
mod parts;
mod predict;
mod probe;
mod run;
mod stream;
mod workers;

use std::fmt;
use std::sync::Arc;

use crate::backend::{Backend, BackendInfo, Padding};
use crate::config::{ModelConfig, TextKind};
use crate::error::{Error, Result};
use crate::fingerprint::{Fingerprint, Space, WeightsHasher};
use crate::model::ModelKind;
pub use crate::normalization::Normalization;
use crate::quantization::Quantization;
use crate::tokenize::TextTokenizer;
use crate::trace::{event, span};
pub use any::AnyEncoder;
pub use control::{Cancellation, Control, Progress};
pub use heads::{
    AnyHead, AnyOutput, Cross, Dense, EmbeddingHead, Head, Hybrid, HybridEmbedding, MultiVector,
    Prediction, Sparse,
};
use options::Plan;
pub use options::{EncodeOptions, QueryExpansion};
use parts::Defaults;
pub use parts::ModelParts;
pub use predict::RankedDocument;
use probe::{Findings, OutputForm, Probe};
pub use run::EncodeJob;
pub use stream::EmbeddingStream;

/// A loaded model with what its [`Head`] makes of the graph's output.
///
/// Cheap to clone, and safe to call from many threads at once. The kinds of
/// models are [`MultiVectorEncoder`], [`DenseEncoder`], [`SparseEncoder`],
/// [`CrossEncoder`] and [`HybridEncoder`].
pub struct TextEncoder<H> {
    shared: Arc<Shared<H>>,
    plan: Plan,
    control: Control,
    fingerprint: Fingerprint,
    /// The longest input that the backend has run.
    proven_length: usize,
}

/// A late-interaction (ColBERT) encoder: one vector for each token.
pub type MultiVectorEncoder = TextEncoder<MultiVector>;

/// A [`MultiVectorEncoder`].
pub type Encoder = MultiVectorEncoder;

/// An encoder with one vector for each text.
pub type DenseEncoder = TextEncoder<Dense>;

/// An encoder with a weight for each of a few tokens of the vocabulary, such as
/// SPLADE.
pub type SparseEncoder = TextEncoder<Sparse>;

/// A reranker, which reads a query and a document together.
pub type CrossEncoder = TextEncoder<Cross>;

/// An encoder with a vector for each text, weights of its tokens and a vector
/// for each token, from one pass.
pub type HybridEncoder = TextEncoder<Hybrid>;

impl<H> Clone for TextEncoder<H> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            plan: self.plan,
            control: self.control.clone(),
            fingerprint: self.fingerprint.clone(),
            proven_length: self.proven_length,
        }
    }
}

/// Texts of one kind that come after `before` others.
#[derive(Clone, Copy)]
struct Call<'a> {
    before: usize,
    texts: &'a [&'a str],
    kind: TextKind,
}

struct Shared<H> {
    head: H,
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
    /// Columns of the graph's output.
    width: usize,
    form: OutputForm,
}

impl<H: Head> TextEncoder<H> {
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
    /// model contradict each other or are of another kind of model, [`Error::InvalidOption`] for options out
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
        let head = H::of(&parts.head).map_err(|wanted| other_kind(wanted, &parts))?;
        options.check_kind(head.kind())?;
        let plan = options.plan(&parts.config, &parts.tokenizer, parts.defaults)?;
        let Findings {
            width,
            form,
            padding,
        } = Probe {
            config: &parts.config,
            tokenizer: &parts.tokenizer,
            backend: backend.as_ref(),
            kind: head.kind(),
            reads: head.reads(),
        }
        .check(&plan)?;
        head.check(width, &backend.info().model_file)?;
        plan.check_dimensions(head.dim(width))?;
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
            head,
            config: parts.config,
            tokenizer: parts.tokenizer,
            tokenizer_hash: parts.tokenizer_hash,
            weights,
            backend,
            info,
            defaults: parts.defaults,
            origin: parts.origin,
            normalization: plan.normalization,
            width,
            form,
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
        options.check_kind(self.kind())?;
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
        plan.check_dimensions(self.shared.head.dim(self.shared.width))?;
        Probe {
            config: &self.shared.config,
            tokenizer: &self.shared.tokenizer,
            backend: self.shared.backend.as_ref(),
            kind: self.kind(),
            reads: self.shared.head.reads(),
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

    /// The kind of the model.
    pub fn kind(&self) -> ModelKind {
        self.shared.head.kind()
    }

    /// Columns of an embedding, or labels of a cross-encoder.
    pub fn dim(&self) -> usize {
        let whole = self.shared.head.dim(self.shared.width);
        self.plan.dimensions.unwrap_or(whole)
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
}

/// An error for a model of another kind.
fn other_kind(wanted: ModelKind, parts: &ModelParts) -> Error {
    Error::model_mismatch(
        &parts.config().file,
        "kind",
        format_args!("a {wanted} model"),
        format_args!("a {} model", parts.kind()),
    )
}

impl<H> Shared<H> {
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

impl<H: Head> fmt::Debug for TextEncoder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextEncoder")
            .field("kind", &self.kind())
            .field("info", self.info())
            .field("plan", &self.plan)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
