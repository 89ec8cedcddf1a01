//! Fused operators in the terms of an engine.

mod masks;
mod onnxruntime;
mod parts;

pub use onnxruntime::for_onnxruntime;
