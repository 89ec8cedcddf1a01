//! The contract between the core and an inference engine.

use std::fmt;

use crate::batch::{CACHED_TOKENS, TokenBatch};
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

    /// How many calls of [`run`](Self::run) make progress at the same time.
    /// At least 1; the encoder starts that many workers and no more.
    fn concurrency(&self) -> usize {
        1
    }

    /// How many threads the core may keep busy at a time with work of its own,
    /// such as tokenization. At least 1; where it is 1, the core starts none.
    fn parallelism(&self) -> usize {
        self.concurrency()
    }

    /// Tokens of the batches that it is fastest with.
    fn batch_tokens(&self) -> usize {
        CACHED_TOKENS
    }

    /// Whether it takes time to run a batch of a shape that none had before, so
    /// that few shapes are faster than little padding.
    fn prepares_shapes(&self) -> bool {
        false
    }

    /// Threads that the core borrows for all that it does side by side. Where
    /// there are none, it starts threads of its own.
    fn threads(&self) -> Option<&dyn Parallel> {
        None
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
    fn run(&self, batch: &TokenBatch) -> Result<TokenStates>;

    /// As [`run`](Self::run), for a batch that runs beside others of the same
    /// call: a backend may then leave the other cores to them.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    fn run_beside_others(&self, batch: &TokenBatch) -> Result<TokenStates> {
        self.run(batch)
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
    /// What became of the published graph.
    pub graph: GraphForm,
}

/// The form in which a graph runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum GraphForm {
    /// As it was published.
    #[default]
    Published,
    /// With fused operators in it.
    Fused(Fused),
    /// As it was published, for its fused form gave other vectors.
    Refused {
        /// The largest distance between rows of length 1.
        distance: f32,
    },
}

impl From<Fused> for GraphForm {
    fn from(fused: Fused) -> Self {
        match fused.is_empty() {
            true => Self::Published,
            false => Self::Fused(fused),
        }
    }
}

impl fmt::Display for GraphForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("as published"),
            Self::Fused(fused) => write!(f, "fused: {fused}"),
            Self::Refused { distance } => {
                write!(
                    f,
                    "as published; its fused form is {distance:.1e} away from it"
                )
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
