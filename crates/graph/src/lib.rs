//! Reads, rewrites and writes the ONNX graphs of text encoders.
//!
//! - [`Graph`]: a model whose weights are slices of its file, or stay in it
//! - [`passes`]: small rewrites that help any engine
//! - [`adapt_interface`]: inputs and output of an encoder, whatever the exporter wrote
//! - [`fuse`]: operators of encoders in place of the nodes that exporters write
//! - [`lower`]: fused operators as an engine runs them
//! - [`quantize`]: layers in 8-bit integers
//! - [`operators`]: definitions of the operators that fused graphs use
//! - [`onnx`]: the ONNX format
//!
//! A rewrite leaves what it does not recognise as it is.

#![forbid(unsafe_code)]

mod engine_threads;
mod error;
mod external;
mod fuse;
mod graph;
mod index;
mod interface;
pub mod lower;
mod node;
pub mod onnx;
pub mod operators;
pub mod passes;
pub mod quantize;
#[cfg(test)]
mod testing;
mod trace;
mod vocabulary;

pub use prost::bytes::Bytes;

pub use engine_threads::needs_engine_threads;
pub use error::{Error, Result, Source};
pub use external::{ExternalLocation, ExternalReader, WeightsWriter, embed_bytes, tensor_bytes};
pub use fuse::{Fused, fuse};
pub use graph::Graph;
pub use interface::{Interface, Promise, adapt_interface};
pub use vocabulary::vocabulary_size;
