//! The files of a model.

mod assemble;
mod directory;
mod files;
mod folder;
mod graph;
mod place;
mod read;
mod weights;

pub(crate) use assemble::{Assembled, Halves, assemble_to_write};
pub use directory::ModelDirectory;
pub use files::ModelBytes;
pub(crate) use files::ModelFiles;
pub(crate) use graph::ModelGraph;
pub(crate) use read::{is_same, read};
pub(crate) use weights::WeightFiles;
