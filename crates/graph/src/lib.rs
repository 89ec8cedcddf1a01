//! Reads, rewrites and writes the ONNX graphs of text encoders.
//!
//! - [`Graph`]: a model whose weights are slices of its file, or stay in it
//! - [`passes`]: small rewrites that help any engine
//! - [`adapt_interface`]: inputs and output of an encoder, whatever the exporter wrote
//! - [`safetensors`]: where weights are in the files that hubs publish
//! - [`architectures`]: graphs of models that are published without one
//! - [`modules`]: what follows the encoder
//! - [`hybrid`]: graphs that give vectors of texts, of tokens and weights at once
//! - [`fuse`]: operators of encoders in place of the nodes that exporters write
//! - [`lower`]: fused operators as an engine runs them
//! - [`quantize`]: layers in 8-bit integers
//! - [`operators`]: definitions of the operators that fused graphs use
//! - [`onnx`]: the ONNX format
//!
//! A rewrite leaves what it does not recognise as it is.

#![forbid(unsafe_code)]

pub mod architectures;
mod blocks;
mod builder;
mod engine_threads;
mod error;
mod external;
mod fuse;
mod gates;
mod graph;
pub mod hybrid;
mod index;
mod interface;
pub mod lower;
pub mod modules;
mod node;
pub mod onnx;
pub mod operators;
pub mod passes;
pub mod quantize;
pub mod safetensors;
#[cfg(test)]
mod testing;
mod trace;
mod vocabulary;
mod wrong_file;

pub use prost::bytes::Bytes;

pub use engine_threads::needs_engine_threads;
pub use error::{Error, Result, Source};
pub use external::{
    ExternalLocation, ExternalReader, StoredType, WeightsWriter, embed_bytes, tensor_bytes,
    widen_stored,
};
pub use fuse::{Fused, fuse};
pub use graph::Graph;
pub use interface::{Form, Interface, Promise, adapt_interface};
#[doc(hidden)]
pub use trace::erf;
pub use vocabulary::vocabulary_size;
pub use wrong_file::{FILE_START, describe_wrong_file};
