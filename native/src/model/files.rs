//! The files of a model, read and hashed.

use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::{Error, ModelParts, Precision, Result, WeightsHasher};
use multivec_graph::{Bytes, remove_final_normalization};

use super::directory::ModelDirectory;
use super::graph::ModelGraph;
use super::read::read;
use crate::options::{LoadOptions, Provider};

/// The files of a model, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelBytes {
    /// `onnx_config.json`.
    pub config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `model.onnx` or `model_int8.onnx`.
    pub model: Vec<u8>,
    /// Which of the two it is.
    pub precision: Precision,
}

/// What a builder reads before an engine takes over.
pub(crate) struct ModelFiles {
    pub(crate) parts: ModelParts,
    pub(crate) model: ModelGraph,
    pub(crate) weights: WeightsHasher,
    pub(crate) precision: Precision,
}

impl ModelFiles {
    pub(crate) fn from_dir(root: &Path, options: &LoadOptions) -> Result<Self> {
        let directory = ModelDirectory::open(root)?;
        // Devices other than the CPU have no use for INT8.
        let has_fp32 = directory.model(Precision::Fp32).is_some();
        let wants_fp32 = options.provider != Provider::Cpu && has_fp32;
        let precision = options.precision.or(wants_fp32.then_some(Precision::Fp32));
        let (path, precision) = directory.choose(precision)?;
        let named = |path: &Path| Ok::<_, Error>((path.display().to_string(), read(path)?));
        let (config, tokenizer) = (named(directory.config())?, named(directory.tokenizer())?);
        let parts = ModelParts::from_json((&config.0, &config.1), (&tokenizer.0, &tokenizer.1))?;
        let mut model = ModelGraph::open(path)?;
        let mut weights = WeightsHasher::new();
        model.hash(&mut weights)?;
        model.normalize(options.encode.normalization);
        Ok(Self {
            parts,
            model,
            weights,
            precision,
        })
    }

    pub(crate) fn from_bytes(
        bytes: &ModelBytes,
        model: &Bytes,
        options: &LoadOptions,
    ) -> Result<Self> {
        if let Some(precision) = options.precision
            && precision != bytes.precision
        {
            return Err(Error::option("precision", bytes.precision, precision));
        }
        let parts = ModelParts::from_json(
            ("onnx_config.json", &bytes.config),
            ("tokenizer.json", &bytes.tokenizer),
        )?;
        let mut weights = WeightsHasher::new();
        weights.update(model);
        let file = match bytes.precision {
            Precision::Int8 => "model_int8.onnx",
            _ => "model.onnx",
        };
        let mut model = ModelGraph::parse(file, model.clone())?;
        model.normalize(options.encode.normalization);
        Ok(Self {
            parts,
            model,
            weights,
            precision: bytes.precision,
        })
    }
}

impl ModelGraph {
    /// Without normalization, takes the one at the end of the graph out.
    fn normalize(&mut self, normalization: Normalization) {
        if normalization == Normalization::Off && remove_final_normalization(&mut self.graph) {
            self.path = None;
        }
    }
}
