//! The contract between the core and an inference engine.

use std::fmt;

use crate::batch::{BatchShapes, CACHED_TOKENS, TokenBatch};
use crate::error::Result;
use multivec_graph::Fused;
use multivec_kernels::Parallel;

/// An engine with a loaded model.
///
/// A backend only runs the graph. Tokenization, masking, the skiplist,
/// normalization and pooling live in the core, once for all engines.
pub trait Backend: Send + Sync {
    /// What was loaded, and how it runs.
    fn info(&self) -> &BackendInfo;

    /// How the core should divide work for this backend.
    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
    }

    /// Runs the graph on a batch and returns its raw output, row for row in
    /// the batch's order, padding rows included.
    ///
    /// Inputs are `[rows, length]` of `i64`: `input_ids`, `attention_mask` (1
    /// attended, 0 not) and, where the graph has it, `token_type_ids` (all 0).
    ///
    /// # Errors
    /// [`Error::Inference`](crate::Error::Inference) when the engine fails,
    /// [`Error::ModelMismatch`](crate::Error::ModelMismatch) when the output
    /// is not `[rows, length, dim]` of `f32`.
    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates>;
}

/// What else runs while a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Nothing of the same call: the batch may use every core.
    Exclusive,
    /// Other batches of the same call, one a worker: the batch should leave
    /// the other cores to them.
    Shared,
}

/// How work for a backend is best divided. The default is one batch at a time
/// on the calling thread.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Scheduling<'a> {
    /// Calls of [`Backend::run`] that make progress at the same time, at least
    /// 1. The encoder starts that many workers and no more.
    pub concurrency: usize,
    /// Threads that the core may keep busy with work of its own, such as
    /// tokenization, at least 1. Where it is 1, the core starts none.
    pub parallelism: usize,
    /// Tokens of the batches that the backend is fastest with, padding
    /// included.
    pub batch_tokens: usize,
    /// [`BatchShapes::Buckets`] where each new shape takes time to prepare, so
    /// that few shapes are faster than little padding.
    pub batch_shapes: BatchShapes,
    /// Threads that the backend lends to the core for all that it does side by
    /// side. Without them, it starts threads of its own.
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
    /// Runs this many batches at the same time; 0 counts as 1. The core keeps
    /// as many threads busy, unless
    /// [`with_parallelism`](Self::with_parallelism) says otherwise.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self.parallelism = self.concurrency;
        self
    }

    /// Lets the core keep this many threads busy; 0 counts as 1.
    #[must_use]
    pub fn with_parallelism(mut self, threads: usize) -> Self {
        self.parallelism = threads.max(1);
        self
    }

    /// Makes batches of this many tokens where the user sets no limit.
    #[must_use]
    pub fn with_batch_tokens(mut self, tokens: usize) -> Self {
        self.batch_tokens = tokens;
        self
    }

    /// Makes batches of these shapes where the user leaves it open.
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
pub struct TokenStates {
    /// `rows * length * dim` values.
    pub data: Vec<f32>,
    /// Columns of each token state.
    pub dim: usize,
}

/// What a backend has loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendInfo {
    /// The engine's name, such as `onnxruntime`.
    pub engine: &'static str,
    /// The engine's version.
    pub engine_version: String,
    /// The hardware path that really runs, such as `cpu`.
    pub provider: String,
    /// The precision of the loaded weights.
    pub precision: Precision,
    /// Whether the graph takes `token_type_ids`.
    pub uses_token_type_ids: bool,
    /// Columns of the output, where the graph states them.
    pub dim: Option<usize>,
    /// The model file, for messages.
    pub model_file: String,
    /// What became of the original graph.
    pub graph: GraphForm,
}

/// The form in which a graph runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum GraphForm {
    /// As it was exported.
    #[default]
    Original,
    /// With fused operators in it.
    Fused(Fused),
    /// As it was exported, for its fused form gave other vectors.
    Refused {
        /// The largest distance between rows of length 1.
        distance: f32,
    },
}

impl From<Fused> for GraphForm {
    fn from(fused: Fused) -> Self {
        match fused.is_empty() {
            true => Self::Original,
            false => Self::Fused(fused),
        }
    }
}

impl fmt::Display for GraphForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Original => f.write_str("original"),
            Self::Fused(fused) => write!(f, "fused: {fused}"),
            Self::Refused { distance } => {
                write!(f, "original; its fused form is {distance:.1e} away from it")
            }
        }
    }
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats, as exported.
    Fp32,
    /// 8-bit integers with dynamically quantized activations.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        })
    }
}
