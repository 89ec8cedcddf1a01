//! Which format a folder is in.

use super::description::ModelDescription;
use super::files::Files;
use super::kind::ModelKind;
use super::{
    EXPORTED, MODULES, SENTENCE_TRANSFORMERS, TRANSFORMER, exported, modules, pylate,
    sentence_transformers, stanford,
};
use crate::error::{Error, Result};

/// Reads a folder in one format.
type Reader = fn(&Files) -> Result<ModelDescription>;

/// The reader of a folder's format.
pub(super) fn reader(files: &Files) -> Result<Reader> {
    let has_modules = files.has(MODULES);
    if files.has(EXPORTED) && (files.has_graph() || !has_modules) {
        return Ok(exported::read);
    }
    let keys = files.keys(SENTENCE_TRANSFORMERS)?;
    if let Some(keys) = &keys {
        let model_type = keys.string("model_type")?;
        let is_late = pylate::KEYS.iter().any(|key| keys.has(key));
        match model_type.as_deref() {
            Some("MultiVectorEncoder") => return Ok(sentence_transformers::multi_vector),
            Some("ColBERT") if has_modules => return Ok(pylate::read),
            _ if is_late && has_modules => return Ok(pylate::read),
            _ if is_late => return Ok(exported::read),
            Some("SentenceTransformer") => return Ok(sentence_transformers::dense),
            Some("SparseEncoder") => return Ok(sentence_transformers::sparse),
            Some("CrossEncoder") => return Ok(sentence_transformers::cross_encoder),
            Some(other) => return Err(modules::other_model(keys, other)),
            None => {}
        }
    }
    if stanford::is_in(files)? {
        return Ok(stanford::read);
    }
    if has_modules {
        return match modules::kind(files)? {
            Some(ModelKind::Sparse) => Ok(sentence_transformers::sparse),
            Some(ModelKind::CrossEncoder) => Ok(sentence_transformers::cross_encoder),
            Some(_) => Ok(sentence_transformers::dense),
            None => Err(no_pooling(files)?),
        };
    }
    if let Some(reader) = of_transformer(files)? {
        return Ok(reader);
    }
    if keys.is_some() {
        // Its error names the keys that are missing.
        return Ok(exported::read);
    }
    Err(Error::missing_file(
        files.location(),
        "the configuration",
        format_args!("{EXPORTED}, {SENTENCE_TRANSFORMERS}, {TRANSFORMER} of a model that is known"),
    ))
}

/// The reader of a transformer without modules, by its class: the same choice
/// that the encoders of sentence-transformers make.
fn of_transformer(files: &Files) -> Result<Option<Reader>> {
    let Some(keys) = files.keys(TRANSFORMER)? else {
        return Ok(None);
    };
    let classes = keys.strings("architectures")?.unwrap_or_default();
    let ends = |end: &str| classes.iter().any(|class| class.ends_with(end));
    Ok(if ends("ForSequenceClassification") {
        Some(sentence_transformers::cross_encoder)
    } else if ends("ForMaskedLM") {
        Some(sentence_transformers::sparse)
    } else if ends("Model") {
        Some(sentence_transformers::dense)
    } else {
        None
    })
}

/// An error for modules that give token states alone, without the configuration
/// of a multi-vector model.
fn no_pooling(files: &Files) -> Result<Error> {
    let entries = modules::read(files)?;
    let other = entries
        .iter()
        .find(|entry| matches!(entry.kind, modules::Kind::Other(_)));
    Ok(match other {
        Some(entry) => modules::refused(&files.name(MODULES), entry),
        None => Error::missing_file(
            files.location(),
            "the configuration of a multi-vector model",
            SENTENCE_TRANSFORMERS,
        ),
    })
}
