//! The backend of ONNX Runtime, whose library is loaded at run time.

mod backend;
mod elf;
mod library;
mod places;
mod signature;

pub(crate) use backend::{GraphSource, OrtBackend};
pub use library::{Candidate, OnnxRuntime};

pub(crate) const ENGINE: &str = "onnxruntime";
