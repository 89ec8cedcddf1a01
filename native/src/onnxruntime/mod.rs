//! The backend of ONNX Runtime, whose library is loaded at run time.

mod backend;
mod elf;
mod library;
mod operators;
mod places;
mod signature;

pub(crate) use backend::{OrtBackend, SessionGraph};
pub use library::{Candidate, OnnxRuntime};
pub(crate) use operators::Kernels;

pub(crate) const ENGINE: &str = "onnxruntime";
