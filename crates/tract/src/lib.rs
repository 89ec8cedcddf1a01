//! tract as an engine of multivec, in WebAssembly and natively.
//!
//! [`TractBackend`] implements the core's [`Backend`](multivec_core::Backend).

mod backend;
mod graph;
mod load;
mod node;
mod operators;
mod tensor;
mod threads;
mod wiring;

pub use backend::TractBackend;
pub use graph::TractGraph;
pub use threads::Threads;
