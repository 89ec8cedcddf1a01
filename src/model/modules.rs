//! `modules.json`, and the modules that it names.

use serde_json::Value;

use super::description::{Activation, Dense, DenseWeights, Residual, Transformer};
use super::files::{Files, join};
use super::{MODULES, SENTENCE_TRANSFORMERS};
use crate::config::{Keys, shorten};
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
        serde_json::from_slice(json).map_err(|source| Error::config_syntax(&name, source))?;
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

/// The activation function of a Dense module that states none.
pub(super) enum WithoutActivation {
    /// That of sentence-transformers.
    Tanh,
    /// None was ever written.
    Refused,
}

/// Reads a Dense module.
pub(super) fn dense(files: &Files, entry: &Entry, otherwise: &WithoutActivation) -> Result<Dense> {
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of a Dense module")?;
    let width = |key| {
        let width = keys.count(key)?;
        width.ok_or_else(|| keys.error(key, "a number of columns", "none"))
    };
    let (in_features, out_features) = (width("in_features")?, width("out_features")?);
    let activation = match (keys.string("activation_function")?, otherwise) {
        (Some(name), _) => activation(&keys, &name)?,
        (None, WithoutActivation::Tanh) => Activation::Tanh,
        (None, WithoutActivation::Refused) => {
            return Err(keys.error("activation_function", "the name of a function", "none"));
        }
    };
    let residual = match keys.boolean("use_residual")? {
        Some(true) if in_features == out_features => Residual::Input,
        Some(true) => Residual::Projected,
        _ => Residual::None,
    };
    for key in ["module_input_name", "module_output_name"] {
        if let Some(name) = keys.string(key)?
            && name != "token_embeddings"
        {
            return Err(keys.error(key, "`token_embeddings`", format_args!("`{name}`")));
        }
    }
    let bias = keys.boolean("bias")?.unwrap_or(true);
    files.leave_unread(&path, &keys, &[]);
    let weights = join(&entry.folder, "model.safetensors");
    if !files.has(&weights) {
        let what = "the weights of a Dense module";
        return Err(Error::missing_file(files.location(), what, weights));
    }
    files.use_file(&weights);
    Ok(Dense {
        folder: entry.folder.clone(),
        weights: DenseWeights::File(weights),
        in_features,
        out_features,
        bias,
        activation,
        residual,
    })
}

fn activation(keys: &Keys, name: &str) -> Result<Activation> {
    let function = name
        .starts_with("torch.nn.")
        .then(|| name.rsplit('.').next());
    Ok(match function.flatten() {
        Some("Identity") => Activation::Identity,
        Some("Tanh") => Activation::Tanh,
        Some("GELU") => Activation::Gelu,
        Some("ReLU") => Activation::Relu,
        Some("SiLU") => Activation::Silu,
        Some("Sigmoid") => Activation::Sigmoid,
        _ => {
            let expected = "Identity, Tanh, GELU, ReLU, SiLU or Sigmoid of `torch.nn`";
            return Err(keys.error("activation_function", expected, format_args!("`{name}`")));
        }
    })
}

/// Checks that each Dense module takes what the one before it gives.
pub(super) fn check_widths<'a>(
    files: &Files,
    transformer: &Transformer,
    chain: impl Iterator<Item = &'a Dense>,
) -> Result<()> {
    let mut width = transformer
        .hidden_size
        .map(|width| (width, files.name(&transformer.config), "hidden_size"));
    for dense in chain {
        let name = files.name(&join(&dense.folder, "config.json"));
        if let Some((expected, file, key)) = width
            && expected != dense.in_features
        {
            return Err(Error::config_value(
                name,
                "in_features",
                format_args!("{expected}, the `{key}` of {file}"),
                dense.in_features,
            ));
        }
        width = Some((dense.out_features, name, "out_features"));
    }
    Ok(())
}
