//! The engine-independent core of multivec, an encoder for late-interaction
//! (ColBERT) retrieval.
//!
//! The core turns texts into batches of tokens, hands them to a [`Backend`], and
//! turns the output into [`Embedding`]s. It uses no inference engine, no files
//! and no browser, and gives the same results with all of them. On servers, use
//! the crate `multivec`, which adds ONNX Runtime and model directories.
//!
//! [`model`] turns the files of a folder into a description of the model in it.
//! The path of a text through the modules: [`tokenize`] → [`batch`] →
//! [`Backend`] → [`encoder`] → [`Embedding`] → [`pool`], [`score`].
//!
//! Cargo features:
//! - `serde`: options, results and reports implement `Serialize`, and
//!   `Deserialize` where that makes sense
//! - `tracing`: spans and events for loading, tokenization, batches and pooling

#![forbid(unsafe_code)]

mod activation;
mod backend;
pub mod batch;
mod config;
pub mod corpus;
pub mod dense;
mod embedding;
pub mod encoder;
#[doc(hidden)]
pub mod equivalence;
mod error;
pub mod fidelity;
mod fingerprint;
mod form_speed;
pub mod fusion;
pub mod model;
mod normalization;
pub mod pool;
mod products;
mod quantization;
pub mod score;
mod sort;
pub mod sparse;
pub mod tokenize;
mod trace;

pub use backend::{
    Backend, BackendInfo, GraphForm, Padding, Precision, RunMode, Scheduling, TokenStates,
};
pub use config::{
    ModelConfig, PrefixStyle, Preparation, Side, SkiplistTexts, TextKind, TokenizerFacts,
    UnknownWords,
};
pub use dense::DenseEmbedding;
pub use embedding::{Embedding, Token};
pub use encoder::{
    AnyEncoder, Cancellation, Control, CrossEncoder, DenseEncoder, EmbeddingStream, EncodeJob,
    EncodeOptions, Encoder, HybridEmbedding, HybridEncoder, ModelParts, MultiVectorEncoder,
    Prediction, Progress, RankedDocument, SparseEncoder, TextEncoder,
};
pub use error::{Error, Result};
pub use fingerprint::{Fingerprint, WeightsHasher};
pub use form_speed::{FormSpeed, FormTimes, speed_up};
pub use model::ModelKind;
pub use multivec_graph::Fused;
pub use multivec_kernels::{Parallel, ThreadPool};
pub use quantization::Quantization;
pub use sparse::SparseEmbedding;
