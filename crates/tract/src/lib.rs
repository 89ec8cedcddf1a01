//! tract as an engine of multivec, in WebAssembly and natively.
//!
//! [`TractBackend`] implements the core's [`Backend`](multivec_core::Backend).
//! It wires the operators of encoders itself; the feature `onnx` adds those of
//! tract-onnx, except in WebAssembly.

mod backend;
mod graph;
mod load;
mod message;
mod node;
mod operators;
mod reader;
mod tensor;
mod threads;
mod wiring;

pub use backend::TractBackend;
pub use graph::TractGraph;
pub use threads::Threads;

/// The engine's name in messages and fingerprints.
const ENGINE: &str = "tract";
