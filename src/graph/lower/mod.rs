//! Fused operators in the terms of an engine.

mod four_bits;
mod layer;
mod linear;
mod masks;
mod onnxruntime;
mod packed;
mod parts;

pub use onnxruntime::{KERNEL_NORMALIZATION, Operators, for_onnxruntime};
pub use packed::{Layers, PACKED_LINEAR, pack_linears};
