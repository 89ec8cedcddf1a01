//! From the files of a folder to a description of the model in it.
//!
//! [`describe`] reads the formats in which models are published.
//! It knows no file system: a [`ModelFolder`] lists the files and holds the
//! content of the small ones. [`build_graph`] and [`complete_graph`] turn a
//! description into a graph. Sources: PyLate 1.6 (`models/colbert.py`,
//! `models/Dense.py`), sentence-transformers 6.2 (`multi_vector_encoder`,
//! `base/modules`), Stanford's ColBERT (`infra/config/settings.py`).

mod assemble;
mod choice;
mod dense;
mod description;
mod exported;
mod files;
mod folder;
mod format;
mod hybrid;
mod kind;
mod layers;
mod modules;
mod pylate;
mod router;
mod sentence_bert;
mod sentence_transformers;
mod stanford;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer;
mod transformer;

pub use crate::activation::Activation;
use crate::error::Result;
pub use assemble::{
    BuiltGraph, Completed, FloatGraph, ModelStore, build_graph, complete_graph, stored_precision,
    weight_files,
};
pub use description::{Format, ModelDescription, Transformer, Unused, WeightsFile};
use files::Files;
pub use folder::ModelFolder;
pub use kind::{
    Answers, CrossDescription, DenseDescription, HeadDescription, HybridDescription, HybridHeads,
    HybridWidths, ModelKind, SparseDescription, StaticTable,
};
pub use layers::{Dense, DenseWeights, Module, Residual};

const EXPORTED: &str = "onnx_config.json";
const SENTENCE_TRANSFORMERS: &str = "config_sentence_transformers.json";
const MODULES: &str = "modules.json";
const TRANSFORMER: &str = "config.json";

/// Reads the description of a model.
///
/// # Errors
/// [`Error::MissingFile`](crate::Error::MissingFile) without a configuration, without weights, or if a
/// module has no files; [`Error::ConfigSyntax`](crate::Error::ConfigSyntax) and [`Error::ConfigValue`](crate::Error::ConfigValue) for
/// files that cannot be read, contradict each other, or are of a kind of model
/// that is not known.
pub fn describe(folder: &ModelFolder) -> Result<ModelDescription> {
    let files = Files::of(folder);
    let mut description = format::reader(&files)?(&files)?;
    description.unused = files.unused();
    Ok(description)
}
