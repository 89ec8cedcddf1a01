//! Model directories, in the layouts that exporters and hubs use.

use std::fs;
use std::path::{Path, PathBuf};

use multivec_core::{Error, ModelConfig, ModelParts, Precision, Result};

use super::read::read;

const CONFIGS: [&str; 2] = ["onnx_config.json", "config_sentence_transformers.json"];
const TOKENIZERS: [&str; 1] = ["tokenizer.json"];
const FP32: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
const INT8: [&str; 4] = [
    "model_int8.onnx",
    "onnx/model_int8.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
];

/// The files of a model directory.
///
/// Either all files side by side, as `pylate-onnx-export` writes them, or the
/// graphs in a folder `onnx/`, as on model hubs. Of several files for the same
/// purpose, the first is used: `onnx_config.json`,
/// `config_sentence_transformers.json`; `model.onnx`, `onnx/model.onnx`;
/// `model_int8.onnx`, `onnx/model_int8.onnx`, `model_quantized.onnx`,
/// `onnx/model_quantized.onnx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDirectory {
    root: PathBuf,
    config: PathBuf,
    tokenizer: PathBuf,
    fp32: Option<PathBuf>,
    int8: Option<PathBuf>,
}

impl ModelDirectory {
    /// Finds the files, without reading them.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, [`Error::MissingFile`] if
    /// it has no configuration, no tokenizer or no model.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        // Tells a missing folder from one without a model.
        fs::read_dir(&root)
            .map_err(|source| Error::io(root.display(), "reading the model directory", source))?;
        let require =
            |what, names: &[&str]| find(&root, names).ok_or_else(|| missing(&root, what, names));
        let (fp32, int8) = (find(&root, &FP32), find(&root, &INT8));
        if fp32.is_none() && int8.is_none() {
            return Err(missing(
                &root,
                "the model",
                &[FP32.as_slice(), &INT8].concat(),
            ));
        }
        Ok(Self {
            config: require("the configuration", &CONFIGS)?,
            tokenizer: require("the tokenizer", &TOKENIZERS)?,
            fp32,
            int8,
            root,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Path {
        &self.tokenizer
    }

    /// Reads configuration and tokenizer.
    pub(crate) fn parts(&self) -> Result<ModelParts> {
        let name = |path: &Path| path.display().to_string();
        let config = ModelConfig::from_json(&name(&self.config), &read(&self.config)?)?;
        ModelParts::new(config, &name(&self.tokenizer), &read(&self.tokenizer)?)
    }

    /// The model of a precision, if the directory has it.
    pub fn model(&self, precision: Precision) -> Option<&Path> {
        match precision {
            Precision::Fp32 => self.fp32.as_deref(),
            Precision::Int8 => self.int8.as_deref(),
            _ => None,
        }
    }

    /// The model of a precision, by default INT8 if there is one, otherwise
    /// FP32.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if the directory does not have it.
    pub fn choose(&self, precision: Option<Precision>) -> Result<(&Path, Precision)> {
        let order: &[Precision] = match &precision {
            Some(precision) => std::slice::from_ref(precision),
            None => &[Precision::Int8, Precision::Fp32],
        };
        order
            .iter()
            .find_map(|&precision| Some((self.model(precision)?, precision)))
            .ok_or_else(|| match precision {
                Some(Precision::Int8) => missing(&self.root, "the INT8 model", &INT8),
                _ => missing(&self.root, "the FP32 model", &FP32),
            })
    }
}

fn find(root: &Path, names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .map(|name| root.join(name))
        .find(|path| path.is_file())
}

fn missing(root: &Path, what: &'static str, names: &[&str]) -> Error {
    Error::missing_file(root.display(), what, names.join(", "))
}
