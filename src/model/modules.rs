//! `modules.json`, and the modules that it names.

use serde_json::Value;

use super::MODULES;
use super::files::Files;
use super::kind::ModelKind;
use crate::config::{Keys, shorten, syntax};
use crate::error::{Error, Result};

/// An entry of `modules.json`.
pub(super) struct Entry {
    pub(super) class: String,
    pub(super) kind: Kind,
    pub(super) folder: String,
}

/// What a module does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Transformer,
    Dense,
    Normalize,
    Mask,
    TokenPooling,
    /// From token states to a sentence embedding.
    Pooling,
    /// From logits of the vocabulary to its weights.
    SpladePooling,
    /// Weights by token, without a transformer.
    StaticWeights,
    /// One list of modules for queries, another for documents.
    Router,
    /// From logits of tokens to the score of a pair.
    LogitScore,
    /// Changes nothing but in training.
    Dropout,
    Other(&'static str),
}

impl Kind {
    /// By the name of its class in the packages that are known.
    pub(super) fn of(class: &str) -> Option<Self> {
        let (package, _) = class.split_once('.')?;
        if !["sentence_transformers", "pylate"].contains(&package) {
            return None;
        }
        Some(match class.rsplit('.').next()? {
            "Transformer" | "MLMTransformer" => Self::Transformer,
            "Dense" => Self::Dense,
            "Normalize" => Self::Normalize,
            "MultiVectorMask" => Self::Mask,
            "HierarchicalTokenPooling" => Self::TokenPooling,
            "Pooling" => Self::Pooling,
            "SpladePooling" => Self::SpladePooling,
            "SparseStaticEmbedding" | "IDF" => Self::StaticWeights,
            "Router" | "Asym" => Self::Router,
            "Dropout" => Self::Dropout,
            "WeightedLayerPooling" => Self::Other("which pools several layers"),
            "StaticEmbedding" | "WordEmbeddings" | "BoW" => {
                Self::Other("a model without a transformer")
            }
            "SparseAutoEncoder" => Self::Other("a sparse autoencoder"),
            "LogitScore" => Self::LogitScore,
            _ => return None,
        })
    }
}

/// The modules, of which the first is the transformer.
pub(super) fn read(files: &Files) -> Result<Vec<Entry>> {
    let name = files.name(MODULES);
    let entries = list(files)?;
    let transformers = |entry: &&Entry| entry.kind == Kind::Transformer;
    let count = entries.iter().filter(transformers).count();
    match entries.first() {
        Some(first) if first.kind == Kind::Transformer && count == 1 => Ok(entries),
        Some(first) if first.kind != Kind::Transformer => Err(refused(&name, first)),
        _ => Err(Error::config_value(
            &name,
            "type",
            "one transformer",
            format_args!("{count} of them in a list of {}", entries.len()),
        )),
    }
}

/// The transformer's folder, and the modules behind it.
pub(super) fn split(entries: &[Entry]) -> (&str, &[Entry]) {
    match entries {
        [first, rest @ ..] => (&first.folder, rest),
        [] => ("", &[]),
    }
}

/// All modules.
pub(super) fn list(files: &Files) -> Result<Vec<Entry>> {
    let name = files.name(MODULES);
    let Some(json) = files.content(MODULES)? else {
        return Err(Error::missing_file(
            files.location(),
            "the list of modules",
            MODULES,
        ));
    };
    let list: Vec<Value> =
        serde_json::from_slice(json).map_err(|source| syntax(&name, json, source))?;
    list.into_iter().map(|value| entry(&name, value)).collect()
}

fn entry(name: &str, value: Value) -> Result<Entry> {
    let map = match value {
        Value::Object(map) => map,
        other => {
            let expected = "an object for each module";
            return Err(Error::config_value(name, "type", expected, shorten(&other)));
        }
    };
    let keys = Keys::of(name, map);
    let Some(class) = keys.string("type")? else {
        return Err(keys.error("type", "the class of a module", "none"));
    };
    let Some(kind) = Kind::of(&class) else {
        let expected = "a module that is known";
        return Err(keys.error("type", expected, class));
    };
    let folder = keys.string("path")?.unwrap_or_default();
    Ok(Entry {
        folder: folder.trim_matches('/').to_owned(),
        class,
        kind,
    })
}

/// An error for a module that has no place in this kind of model.
pub(super) fn refused(name: &str, entry: &Entry) -> Error {
    let class = &entry.class;
    let found = match entry.kind {
        Kind::Other(what) => format!("{class}, {what}, which is not implemented"),
        _ => format!("{class} in this place"),
    };
    Error::config_value(
        name,
        "type",
        "a transformer, and modules for what it gives",
        found,
    )
}

/// An error for the `model_type` of another kind of model.
pub(super) fn other_model(keys: &Keys, model_type: &str) -> Error {
    keys.error(
        "model_type",
        "`MultiVectorEncoder`, `ColBERT`, `SentenceTransformer`, `SparseEncoder` or `CrossEncoder`",
        format_args!("`{model_type}`"),
    )
}

/// The kind of model that a list of modules is of; `None` for token states
/// alone.
pub(super) fn kind(files: &Files) -> Result<Option<ModelKind>> {
    let list = list(files)?;
    let kind = |entry: &Entry| match entry.kind {
        Kind::Pooling => Some(ModelKind::Dense),
        Kind::SpladePooling | Kind::StaticWeights => Some(ModelKind::Sparse),
        Kind::Router => Some(ModelKind::Sparse),
        Kind::LogitScore => Some(ModelKind::CrossEncoder),
        _ => None,
    };
    Ok(list.iter().find_map(kind))
}
