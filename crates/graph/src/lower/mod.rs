//! Fused operators in the terms of an engine.

mod four_bits;
mod layer;
mod length;
mod linear;
mod masks;
mod onnxruntime;
mod packed;
mod parts;
mod tables;

pub use onnxruntime::{KERNEL_NORMALIZATION, Operators, SCALE_TO_LENGTH, for_onnxruntime};
pub use packed::{Layers, PACKED_LINEAR, pack_linears};
pub use tables::{PACKED_EMBEDDING, pack_embeddings};
