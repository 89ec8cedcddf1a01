//! Where a model is loaded from.

use std::path::PathBuf;

use multivec_core::Result;
use multivec_graph::Bytes;

use crate::model::{ModelBytes, ModelFiles};
use crate::options::LoadOptions;

#[derive(Clone, Debug)]
pub(super) enum Source {
    Directory(PathBuf),
    /// The model apart from the other files, so that it is never copied.
    Bytes {
        rest: ModelBytes,
        model: Bytes,
    },
}

impl Source {
    /// Reads the model of the precision that the options ask for.
    pub(super) fn read(&self, options: &LoadOptions) -> Result<ModelFiles> {
        match self {
            Self::Directory(root) => ModelFiles::from_dir(root, options),
            Self::Bytes { rest, model } => ModelFiles::from_bytes(rest, model, options),
        }
    }
}
