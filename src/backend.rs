//! The contract between the core and an inference engine.

use std::fmt;

use multivec_graph::Fused;
use multivec_kernels::Parallel;

use crate::batch::{BatchShapes, CACHED_TOKENS, TokenBatch};
use crate::error::Result;
use crate::form_speed::FormSpeed;
use crate::quantization::Quantization;

/// An engine with a loaded model.
///
/// A backend only runs the graph. Tokenization, masking, the skiplist,
/// normalization and pooling are the core's work, the same for all engines.
pub trait Backend: Send + Sync {
    /// The loaded model and what runs it.
    fn info(&self) -> &BackendInfo;

    /// How the core should divide work for this backend.
    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
    }

    /// Runs the graph on a batch and returns its raw output in the batch's
    /// order, including padding.
    ///
    /// Inputs are `[rows, length]` of `i64`: `input_ids`, `attention_mask` (1
    /// for tokens that are attended to, 0 for others) and, where the graph
    /// takes it, `token_type_ids` (all 0 where the batch has none).
    ///
    /// # Errors
    /// [`Error::Inference`](crate::Error::Inference) if the engine fails,
    /// [`Error::ModelMismatch`](crate::Error::ModelMismatch) if the output is
    /// not `[rows, length, dim]` of `f32`.
    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates>;
}

/// What else runs at the same time as a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunMode {
    /// Nothing else of the same call: the batch may use every core.
    Exclusive,
    /// Other batches of the same call, one per worker: the batch should leave
    /// the other cores to them.
    Shared,
}

/// How work for a backend is best divided. The default is one batch at a time,
/// on the calling thread.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Scheduling<'a> {
    /// Calls of [`Backend::run`] that can make progress at the same time, at
    /// least 1. The encoder starts at most that many workers.
    pub concurrency: usize,
    /// Threads that the core may use for its own work, such as tokenization,
    /// at least 1. With 1 it starts no thread.
    pub parallelism: usize,
    /// The batch size at which the backend is fastest, in tokens including
    /// padding.
    pub batch_tokens: usize,
    /// [`BatchShapes::Buckets`] where each new shape takes time to prepare, so
    /// that a few shapes with more padding are faster.
    pub batch_shapes: BatchShapes,
    /// The backend's own threads, lent to the core for all its parallel work.
    /// Without them the core starts threads.
    pub threads: Option<&'a dyn Parallel>,
}

impl Default for Scheduling<'_> {
    fn default() -> Self {
        Self {
            concurrency: 1,
            parallelism: 1,
            batch_tokens: CACHED_TOKENS,
            batch_shapes: BatchShapes::Exact,
            threads: None,
        }
    }
}

impl<'a> Scheduling<'a> {
    /// Runs this many batches at the same time; 0 counts as 1. The core uses
    /// as many threads for its own work, unless
    /// [`with_parallelism`](Self::with_parallelism) changes that.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self.parallelism = self.concurrency;
        self
    }

    /// Lets the core use this many threads for its own work; 0 counts as 1.
    #[must_use]
    pub fn with_parallelism(mut self, threads: usize) -> Self {
        self.parallelism = threads.max(1);
        self
    }

    /// Sets the batch size in tokens for users who set no limit.
    #[must_use]
    pub fn with_batch_tokens(mut self, tokens: usize) -> Self {
        self.batch_tokens = tokens;
        self
    }

    /// Sets the batch shapes for users who leave them to the engine.
    #[must_use]
    pub fn with_batch_shapes(mut self, shapes: BatchShapes) -> Self {
        self.batch_shapes = shapes;
        self
    }

    /// Lends these threads to the core.
    #[must_use]
    pub fn with_threads(mut self, threads: Option<&'a dyn Parallel>) -> Self {
        self.threads = threads;
        self
    }
}

/// The raw output of a graph: `[rows, length, dim]`, row-major.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenStates {
    /// `rows * length * dim` values.
    pub data: Vec<f32>,
    /// Columns of each token state.
    pub dim: usize,
}

impl TokenStates {
    /// States of `dim` columns each.
    pub fn new(data: Vec<f32>, dim: usize) -> Self {
        Self { data, dim }
    }
}

/// The loaded model and what runs it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BackendInfo {
    /// The engine's name, such as `onnxruntime`.
    pub engine: &'static str,
    /// The engine's version; empty where it has none.
    pub engine_version: String,
    /// The hardware path in use, such as `cpu`.
    pub provider: String,
    /// The precision of the loaded weights.
    pub precision: Precision,
    /// Whether they were quantized when the model was loaded; stated by
    /// [`ModelParts`](crate::ModelParts).
    pub quantization: Quantization,
    /// Whether the graph takes `token_type_ids`.
    pub uses_token_type_ids: bool,
    /// Columns of the output, where the graph states them.
    pub dim: Option<usize>,
    /// The model file, for messages.
    pub model_file: String,
    /// The form in which the graph runs.
    pub graph: GraphForm,
    /// How fast its two forms are, where that was measured to choose one.
    pub speed: FormSpeed,
    /// Operators that the backend does not implement itself and the engine's
    /// own ONNX reader adds, sorted. They run, but as written: never fused.
    pub fallback_operators: Vec<String>,
    /// Whether texts of different lengths share a batch; found by the encoder
    /// when it is made.
    pub padding: Padding,
}

impl BackendInfo {
    /// An engine without a version that runs the original graph on the CPU:
    /// two inputs, and an output whose columns the graph does not state.
    pub fn new(engine: &'static str, precision: Precision, model_file: impl Into<String>) -> Self {
        Self {
            engine,
            engine_version: String::new(),
            provider: "cpu".to_owned(),
            precision,
            quantization: Quantization::Stored,
            uses_token_type_ids: false,
            dim: None,
            model_file: model_file.into(),
            graph: GraphForm::Original,
            speed: FormSpeed::NotMeasured,
            fallback_operators: Vec::new(),
            padding: Padding::Allowed,
        }
    }

    /// Sets the engine's version.
    #[must_use]
    pub fn with_engine_version(mut self, version: impl Into<String>) -> Self {
        self.engine_version = version.into();
        self
    }

    /// Sets the hardware path.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = provider.into();
        self
    }

    /// Marks the graph as one that takes `token_type_ids`.
    #[must_use]
    pub fn with_token_type_ids(mut self) -> Self {
        self.uses_token_type_ids = true;
        self
    }

    /// Sets the columns of the output.
    #[must_use]
    pub fn with_dim(mut self, dim: usize) -> Self {
        self.dim = Some(dim);
        self
    }

    /// Sets the form in which the graph runs.
    #[must_use]
    pub fn with_graph(mut self, form: GraphForm) -> Self {
        self.graph = form;
        self
    }

    /// Sets how fast the two forms of the graph are.
    #[must_use]
    pub fn with_speed(mut self, speed: FormSpeed) -> Self {
        self.speed = speed;
        self
    }

    /// Sets the operators that the engine's own ONNX reader adds.
    #[must_use]
    pub fn with_fallback_operators(mut self, operators: Vec<String>) -> Self {
        self.fallback_operators = operators;
        self
    }
}

/// Whether texts are padded to the length of others in their batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Padding {
    /// They are.
    #[default]
    Allowed,
    /// Only texts of equal length share a batch, because the graph gives other
    /// vectors to a text with padding.
    Avoided {
        /// The largest difference of a component, of rows scaled to length 1.
        distance: f32,
    },
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Avoided { distance } => {
                write!(f, "avoided; it changes vectors by {distance:.1e}")
            }
        }
    }
}

/// The form in which a graph runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum GraphForm {
    /// As exported.
    #[default]
    Original,
    /// With fused operators.
    Fused(Fused),
    /// As exported, because the fused form gave different vectors.
    Refused {
        /// The largest difference of a component, of rows scaled to length 1.
        distance: f32,
    },
}

impl From<Fused> for GraphForm {
    fn from(fused: Fused) -> Self {
        if fused.is_empty() {
            Self::Original
        } else {
            Self::Fused(fused)
        }
    }
}

impl fmt::Display for GraphForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Original => f.write_str("original"),
            Self::Fused(fused) => write!(f, "fused: {fused}"),
            Self::Refused { distance } => {
                write!(
                    f,
                    "original; the vectors of its fused form differ by {distance:.1e}"
                )
            }
        }
    }
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// 16-bit floats with 10 bits of fraction; CPUs compute in 32 bits.
    Fp16,
    /// The upper halves of 32-bit floats; CPUs compute in 32 bits.
    Bf16,
    /// 8-bit integers with dynamically quantized activations.
    Int8,
    /// 4-bit integers in blocks that share a scale.
    Int4,
}

impl Precision {
    /// Whether weights are integers.
    pub fn is_quantized(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for GraphForm {
    /// A map with the key `form`, and `operators` or `distance`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Original => map.serialize_entry("form", "original")?,
            Self::Fused(fused) => {
                let counts = Fused::NAMES.into_iter().zip(fused.counts());
                let counts: std::collections::BTreeMap<_, _> = counts.collect();
                map.serialize_entry("form", "fused")?;
                map.serialize_entry("operators", &counts)?;
            }
            Self::Refused { distance } => {
                map.serialize_entry("form", "refused")?;
                map.serialize_entry("distance", distance)?;
            }
        }
        map.end()
    }
}
