//! The backend of ONNX Runtime, whose library is loaded at run time.

mod backend;
mod candidate;
mod elf;
mod error;
mod library;
mod opener;
mod operators;
mod pinned_output;
mod placement;
mod provider_options;
mod providers;
mod search_paths;
mod sessions;
mod shared;
mod signature;
mod telemetry;

pub(crate) use backend::OrtBackend;
pub use candidate::Candidate;
pub use library::OnnxRuntime;
pub(crate) use opener::{SessionGraph, SessionParts, SessionSettings};
pub(crate) use operators::{Kernels, Work};
pub(crate) use providers::check_listed;

pub(crate) const ENGINE: &str = "onnxruntime";
