//! Fused operators in the terms of an engine.
//!
//! [`pack_linears`] and [`pack_embeddings`] take weights out of a graph for our
//! kernels; [`for_onnxruntime`] replaces what is left by operators of ONNX
//! Runtime.

mod activation;
mod attention;
mod embedding;
mod gates;
mod join;
mod l2_norm;
mod layer;
mod linear;
mod masks;
mod n_bits;
mod onnxruntime;
mod pack;
mod short_convolution;

pub use embedding::pack_embeddings;
pub use onnxruntime::{Operators, for_onnxruntime};
pub use pack::{Layers, pack_linears};
