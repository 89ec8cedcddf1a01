//! `modules.json`, and the modules that it names.

use serde_json::Value;

use super::files::Files;
use super::{MODULES, SENTENCE_TRANSFORMERS};
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
    Other(&'static str),
}

impl Kind {
    /// By the name of its class in the packages that are known.
    fn of(class: &str) -> Option<Self> {
        let (package, _) = class.split_once('.')?;
        if !["sentence_transformers", "pylate"].contains(&package) {
            return None;
        }
        Some(match class.rsplit('.').next()? {
            "Transformer" => Self::Transformer,
            "Dense" => Self::Dense,
            "Normalize" => Self::Normalize,
            "MultiVectorMask" => Self::Mask,
            "HierarchicalTokenPooling" => Self::TokenPooling,
            "Pooling" | "WeightedLayerPooling" => Self::Other("a dense model"),
            "MLMTransformer" | "SpladePooling" | "SparseAutoEncoder" | "SparseStaticEmbedding" => {
                Self::Other("a sparse model")
            }
            "LogitScore" => Self::Other("a reranker"),
            _ => return None,
        })
    }
}

/// The modules, of which the first is the transformer.
pub(super) fn read(files: &Files) -> Result<Vec<Entry>> {
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
    let entries: Vec<Entry> = list
        .into_iter()
        .map(|value| entry(&name, value))
        .collect::<Result<_>>()?;
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
        let expected = "a module of a multi-vector model that is known";
        return Err(keys.error("type", expected, class));
    };
    let folder = keys.string("path")?.unwrap_or_default();
    Ok(Entry {
        folder: folder.trim_matches('/').to_owned(),
        class,
        kind,
    })
}

/// An error for a module that is not one of a multi-vector model.
pub(super) fn refused(name: &str, entry: &Entry) -> Error {
    let class = &entry.class;
    let found = match entry.kind {
        Kind::Other(what) => format!("{class}, {what}; multivec loads multi-vector models"),
        _ => format!("{class} in this place"),
    };
    Error::config_value(
        name,
        "type",
        "a transformer, and modules for its tokens",
        found,
    )
}

/// An error for the `model_type` of another kind of model.
pub(super) fn other_model(keys: &Keys, model_type: &str) -> Error {
    let what = match model_type {
        "SentenceTransformer" => "a dense model",
        "SparseEncoder" => "a sparse model",
        "CrossEncoder" => "a reranker",
        _ => "a kind of model that is not known",
    };
    keys.error(
        "model_type",
        "`MultiVectorEncoder` or `ColBERT`",
        format_args!("`{model_type}`, {what}; multivec loads multi-vector models"),
    )
}

/// An error for modules without the configuration of a multi-vector model.
pub(super) fn no_late_interaction(files: &Files) -> Result<Error> {
    let entries = read(files)?;
    let other = entries
        .iter()
        .find(|entry| matches!(entry.kind, Kind::Other(_)));
    Ok(match other {
        Some(entry) => refused(&files.name(MODULES), entry),
        None => Error::missing_file(
            files.location(),
            "the configuration of a multi-vector model",
            SENTENCE_TRANSFORMERS,
        ),
    })
}
