//! multivec in the browser: the shared core over tract, for WebAssembly.
//!
//! On `wasm32` the crate is a module for JavaScript, see `js/` in the
//! repository. Elsewhere it is only its [`TractBackend`], for comparisons and
//! for servers without ONNX Runtime.

#[cfg(target_arch = "wasm32")]
pub mod api;
mod backend;
mod threads;
#[cfg(any(target_arch = "wasm32", test))]
mod utf16;

pub use backend::{TractBackend, TractGraph};
