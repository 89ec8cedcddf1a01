//! The backend of ONNX Runtime, whose library is loaded at run time.

mod backend;
mod elf;
mod landing;
mod library;
mod opener;
mod operators;
mod placement;
mod places;
mod providers;
mod sessions;
mod shared;
mod signature;

pub(crate) use backend::OrtBackend;
pub use library::{Candidate, OnnxRuntime};
pub(crate) use opener::{SessionGraph, SessionSettings};
pub(crate) use operators::{Kernels, Work};
pub(crate) use providers::check_listed;

pub(crate) const ENGINE: &str = "onnxruntime";
