//! Dense modules.

use super::description::Transformer;
use super::files::{Files, join};
use super::layers::{Dense, DenseWeights, Residual};
use super::modules::Entry;
use crate::activation::Activation;
use crate::config::Keys;
use crate::error::{Error, Result};

/// The activation function of a Dense module that states none.
pub(super) enum WithoutActivation {
    /// That of sentence-transformers.
    Tanh,
    /// None was ever written.
    Refused,
}

/// What a Dense module is applied to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Tokens,
    Sentences,
}

impl Rows {
    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "token_embeddings",
            Self::Sentences => "sentence_embedding",
        }
    }

    /// What a module says that it is applied to: sentence embeddings, unless it
    /// names something else.
    pub(super) fn of(files: &Files, entry: &Entry) -> Result<Self> {
        let keys = files.keys(&join(&entry.folder, "config.json"))?;
        let name = keys
            .map(|keys| keys.string("module_input_name"))
            .transpose()?;
        Ok(match name.flatten().as_deref() {
            Some("token_embeddings") => Self::Tokens,
            _ => Self::Sentences,
        })
    }
}

/// Reads a Dense module.
pub(super) fn read(
    files: &Files,
    entry: &Entry,
    rows: Rows,
    otherwise: &WithoutActivation,
) -> Result<Dense> {
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
            && name != rows.name()
        {
            let expected = format!("`{}`", rows.name());
            return Err(keys.error(key, &expected, format_args!("`{name}`")));
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

/// The function of a class of `torch.nn`.
pub(super) fn activation(keys: &Keys, name: &str) -> Result<Activation> {
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
