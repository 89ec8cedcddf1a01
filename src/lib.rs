//! Shared core of multivec, the encoder SDK for late-interaction (ColBERT)
//! retrieval.
//!
//! The core turns texts into token batches, hands them to a [`Backend`] and
//! turns the raw token states into [`Embedding`]s. It knows no inference
//! engine, no file system and no browser, and gives the same result on all of
//! them. On a server use the crate `multivec`, which adds ONNX Runtime, model
//! directories and a command line.
//!
//! The path of a text through the modules:
//! [`tokenize`] → [`batch`] → [`Backend`] → [`encoder`] → [`Embedding`]
//! → [`pool`] / [`score`].

#![forbid(unsafe_code)]

mod backend;
pub mod batch;
pub mod config;
mod embedding;
pub mod encoder;
pub mod equivalence;
mod error;
pub mod fidelity;
mod fingerprint;
pub mod pool;
pub mod score;
mod sort;
pub mod tokenize;

pub use backend::{Backend, BackendInfo, GraphForm, Precision, RunMode, Scheduling, TokenStates};
pub use config::{ModelConfig, TextKind};
pub use embedding::{Embedding, Token};
pub use encoder::{
    Cancellation, Control, EmbeddingStream, EncodeJob, EncodeOptions, Encoder, ModelParts, Progress,
};
pub use error::{Error, Result};
pub use fingerprint::{Fingerprint, WeightsHasher};
