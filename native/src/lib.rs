//! Late-interaction (ColBERT, multi-vector) text encoding on servers, with
//! PyLate's vectors, from model directories with ONNX graphs.
//!
//! ```no_run
//! use multivec::{EncoderBuilder, rank};
//!
//! let encoder = EncoderBuilder::from_dir("models/minilm-colbert").build()?;
//! let documents = encoder.encode_documents(&["Paris is in France.", "Bees make honey."])?;
//! let query = encoder.encode_query("Where is Paris?")?;
//! for found in rank(&query, &documents)? {
//!     println!("{} {:.2}", found.index, found.score);
//! }
//! # Ok::<(), multivec::Error>(())
//! ```
//!
//! Loading, sharing and running are separate: an [`EncoderBuilder`] loads, an
//! [`Encoder`] is shared (it is cheap to clone and needs no lock), and its
//! `encode_*` methods run. Other engines implement [`Backend`], see
//! [`Encoder::new`].
//!
//! Cargo features:
//! - `hub`: models by their ids, see [`EncoderBuilder`]
//! - `quantize`: INT8 models made from FP32 models
//! - `tract`: an engine in Rust, for machines without ONNX Runtime
//! - `serde`: options of encoding, results and reports implement `Serialize`,
//!   and `Deserialize` where that makes sense
//! - `tracing`: spans and events for loading, engines, fused graphs and batches

#[cfg(feature = "quantize")]
#[doc(hidden)]
pub mod atomic_file;
pub mod corpus;
mod export;
mod facts;
#[cfg(feature = "hub")]
pub mod hub;
mod load;
mod model;
mod onnxruntime;
mod optimize;
mod options;
#[cfg(feature = "quantize")]
mod quantize;
mod trace;

pub use export::{Exported, export_model};
pub use facts::facts;
pub use load::EncoderBuilder;
pub use model::{ModelBytes, ModelDirectory};
pub use multivec_core::batch::{BatchLimit, BatchShapes, TokenBatch};
pub use multivec_core::dense;
pub use multivec_core::encoder::{
    AnyHead, AnyOutput, EmbeddingHead, Head, Normalization, QueryExpansion,
};
pub use multivec_core::fidelity;
pub use multivec_core::fusion;
pub use multivec_core::model::{Format as ModelFormat, ModelDescription, WeightsFile};
pub use multivec_core::pool::Pooling;
pub use multivec_core::score::{
    Match, Ranked, Scorer, matches, max_sim, max_sim_many, rank, rerank, similarity,
};
pub use multivec_core::tokenize::{
    TextPair, TextTokenizer, TokenRole, TokenizedText, Truncation, TruncationPolicy,
};
pub use multivec_core::{
    AnyEncoder, Backend, BackendInfo, Cancellation, Control, CrossEncoder, DenseEmbedding,
    DenseEncoder, Embedding, EmbeddingStream, EncodeJob, EncodeOptions, Encoder, Error,
    Fingerprint, FormSpeed, FormTimes, Fused, GraphForm, HybridEmbedding, HybridEncoder,
    ModelConfig, ModelKind, ModelParts, MultiVectorEncoder, Padding, Parallel, Precision,
    Prediction, Progress, Quantization, RankedDocument, Result, RunMode, Scheduling,
    SparseEmbedding, SparseEncoder, TextEncoder, TextKind, ThreadPool, Token, TokenStates,
    WeightsHasher,
};
#[cfg(feature = "quantize")]
pub use multivec_graph::quantize::{LayerKind, WeightRange};
pub use multivec_kernels::{KernelSet, UnknownInstructionSet, instruction_set};
pub use onnxruntime::{Candidate, OnnxRuntime};
pub use optimize::{optimize_graph, optimize_model};
pub use options::{
    AmdOptions, Arena, ComputeUnits, CoreMlOptions, CudaOptions, DirectMlOptions, Engine,
    LoadOptions, OpenVinoOptions, Optimization, Provider, TensorRtOptions, Tf32,
};
#[cfg(feature = "quantize")]
pub use quantize::{
    Existing, Fidelity, FidelityTarget, LayerReport, QuantizeOptions, QuantizeReport, QuantizeStep,
    quantize_model,
};
