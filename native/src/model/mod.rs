//! The files of a model.

mod directory;
mod files;
mod graph;
mod read;

pub use directory::ModelDirectory;
pub use files::ModelBytes;
pub(crate) use files::ModelFiles;
pub(crate) use graph::{ModelGraph, WeightFiles};
#[cfg(any(feature = "quantize", test))]
pub(crate) use read::read;
