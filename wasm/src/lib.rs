//! multivec for JavaScript: the shared core over tract, in WebAssembly.
//!
//! The crate is a module for `js/` in the repository; elsewhere than on
//! `wasm32` it is empty.

#[cfg(target_arch = "wasm32")]
pub mod api;
#[cfg(any(target_arch = "wasm32", test))]
mod ranking;
#[cfg(target_arch = "wasm32")]
mod threads;
#[cfg(any(target_arch = "wasm32", test))]
mod utf16;
