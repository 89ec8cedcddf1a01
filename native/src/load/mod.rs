//! From a model directory, or from bytes, to an encoder.

mod builder;
mod directory;
mod files;
mod options;

pub use builder::{EncoderBuilder, ModelBytes};
pub use directory::ModelDirectory;
pub(crate) use files::{ModelGraph, read, read_tensor};
pub(crate) use options::Parallelism;
pub use options::{Engine, Optimization, Options, Provider};
