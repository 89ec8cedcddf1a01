//! From the files of a folder to a description of the model in it.
//!
//! [`describe`] reads the formats in which multi-vector models are published.
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
mod modules;
mod pylate;
mod sentence_bert;
mod sentence_transformers;
mod stanford;
#[cfg(test)]
mod tests;
mod tokenizer;
mod transformer;

use crate::error::{Error, Result};
pub use assemble::{
    BuiltGraph, Completed, FloatGraph, ModelStore, build_graph, complete_graph, stored_precision,
    weight_files,
};
pub use description::{
    Activation, Dense, DenseWeights, Format, ModelDescription, Module, Residual, Transformer,
    Unused, WeightsFile,
};
use files::Files;
pub use folder::ModelFolder;

const EXPORTED: &str = "onnx_config.json";
const SENTENCE_TRANSFORMERS: &str = "config_sentence_transformers.json";
const MODULES: &str = "modules.json";
const TRANSFORMER: &str = "config.json";

/// Reads the description of a model.
///
/// # Errors
/// [`Error::MissingFile`] without a configuration, without weights, or if a
/// module has no files; [`Error::ConfigSyntax`] and [`Error::ConfigValue`] for
/// files that cannot be read, contradict each other, or are of another kind of
/// model.
pub fn describe(folder: &ModelFolder) -> Result<ModelDescription> {
    let files = Files::of(folder);
    let mut description = match format(&files)? {
        Format::Exported => exported::read(&files),
        Format::PyLate => pylate::read(&files),
        Format::SentenceTransformers => sentence_transformers::read(&files),
        Format::Stanford => stanford::read(&files),
    }?;
    description.unused = files.unused();
    Ok(description)
}

/// Tells formats apart, and refuses other kinds of models by name.
fn format(files: &Files) -> Result<Format> {
    let has_modules = files.has(MODULES);
    if files.has(EXPORTED) && (files.has_graph() || !has_modules) {
        return Ok(Format::Exported);
    }
    let keys = files.keys(SENTENCE_TRANSFORMERS)?;
    if let Some(keys) = &keys {
        let model_type = keys.string("model_type")?;
        let is_late = pylate::KEYS.iter().any(|key| keys.has(key));
        match model_type.as_deref() {
            Some("MultiVectorEncoder") => return Ok(Format::SentenceTransformers),
            Some("ColBERT") if has_modules => return Ok(Format::PyLate),
            _ if is_late && has_modules => return Ok(Format::PyLate),
            _ if is_late => return Ok(Format::Exported),
            Some(other) => return Err(modules::other_model(keys, other)),
            None => {}
        }
    }
    if stanford::is_in(files)? {
        return Ok(Format::Stanford);
    }
    if has_modules {
        return Err(modules::no_late_interaction(files)?);
    }
    if keys.is_some() {
        // Its error names the keys that are missing.
        return Ok(Format::Exported);
    }
    Err(Error::missing_file(
        files.location(),
        "the configuration",
        format_args!("{EXPORTED}, {SENTENCE_TRANSFORMERS}, {TRANSFORMER} of a ColBERT model"),
    ))
}
