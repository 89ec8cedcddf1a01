//! From a model directory, or from bytes, to an encoder.

mod auto;
mod builder;
mod directory;
mod files;
mod graph;
mod options;
mod provider;
#[cfg(test)]
mod shapes;

pub use builder::{EncoderBuilder, ModelBytes};
pub use directory::ModelDirectory;
pub(crate) use files::ModelFiles;
#[cfg(any(feature = "quantize", test))]
pub(crate) use files::read;
pub(crate) use graph::{ModelGraph, WeightFiles};
pub(crate) use options::Parallelism;
pub use options::{Arena, Engine, Optimization, Options};
pub use provider::{
    AmdOptions, ComputeUnits, CoreMlOptions, CudaOptions, DirectMlOptions, OpenVinoOptions,
    Provider, TensorRtOptions, Tf32,
};
