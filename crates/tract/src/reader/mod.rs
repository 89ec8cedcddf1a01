//! Operators that this crate does not wire itself.

#[cfg(all(feature = "onnx", not(target_arch = "wasm32")))]
mod onnx;

#[cfg(all(feature = "onnx", not(target_arch = "wasm32")))]
pub(super) use onnx::find;

/// Builds without tract-onnx have no other operators.
#[cfg(not(all(feature = "onnx", not(target_arch = "wasm32"))))]
pub(super) fn find(_: &str) -> Option<super::operators::Operator> {
    None
}
