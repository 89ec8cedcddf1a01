//! The files of a model, read and hashed.

use std::fs;
use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::graph::{Bytes, remove_final_normalization};
use multivec_core::{Error, ModelParts, Precision, Result, WeightsHasher};

use super::builder::ModelBytes;
use super::graph::ModelGraph;
use super::{ModelDirectory, Options, Provider};

/// What a builder reads before an engine takes over.
pub(crate) struct ModelFiles {
    pub(crate) parts: ModelParts,
    pub(crate) model: ModelGraph,
    pub(crate) weights: WeightsHasher,
    pub(crate) precision: Precision,
}

impl ModelFiles {
    pub(super) fn from_dir(root: &Path, options: &Options) -> Result<Self> {
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

    pub(super) fn from_bytes(bytes: &ModelBytes, model: &Bytes, options: &Options) -> Result<Self> {
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

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| reading(path, source))
}

pub(super) fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        action: "reading",
        source,
    }
}
