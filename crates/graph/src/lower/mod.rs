//! Fused operators in the terms of an engine.

mod four_bits;
mod l2_norm;
mod layer;
mod linear;
mod masks;
mod onnxruntime;
mod packed;
mod parts;
mod tables;

pub use onnxruntime::{KERNEL_NORMALIZATION, L2_NORMALIZE, Operators, for_onnxruntime};
pub use packed::{Layers, PACKED_LINEAR, pack_linears};
pub use tables::{PACKED_EMBEDDING, pack_embeddings};
