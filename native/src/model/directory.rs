//! Model directories, in the layouts found in the wild.

use std::fs;
use std::path::{Path, PathBuf};

use multivec_core::{Error, Precision, Result};

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
/// graphs in a folder `onnx/`, as on model hubs. Where several names are
/// there, the first of the lists in the README is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDirectory {
    root: PathBuf,
    config: PathBuf,
    tokenizer: PathBuf,
    fp32: Option<PathBuf>,
    int8: Option<PathBuf>,
}

impl ModelDirectory {
    /// Looks for the files; none is read yet.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, [`Error::MissingFile`] if
    /// it has no configuration, no tokenizer or no model.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        // A listing tells a folder without a model from no folder at all.
        fs::read_dir(&root).map_err(|source| Error::Io {
            path: root.display().to_string(),
            action: "reading the model directory",
            source,
        })?;
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

    /// The model of a precision, where the directory has it.
    pub fn model(&self, precision: Precision) -> Option<&Path> {
        match precision {
            Precision::Fp32 => self.fp32.as_deref(),
            Precision::Int8 => self.int8.as_deref(),
            _ => None,
        }
    }

    /// The model to load: of the precision asked for, or INT8 if there is one.
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
    Error::MissingFile {
        location: root.display().to_string(),
        what,
        expected: names.join(", "),
    }
}
