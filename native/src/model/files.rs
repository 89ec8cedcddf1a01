//! Reads and hashes the files of a model.

use multivec_core::encoder::Normalization;
use multivec_core::model::WeightsFile;
use multivec_core::{Error, ModelConfig, ModelParts, Precision, Result, WeightsHasher};
use multivec_graph::passes::remove_final_normalization;
use multivec_graph::{Bytes, Promise, adapt_interface};

use super::assemble::{Assembled, Halves, assemble};
use super::directory::ModelDirectory;
use super::graph::ModelGraph;
use crate::options::{LoadOptions, Provider};

/// The files of a model, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelBytes {
    /// `onnx_config.json`.
    pub config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `model.onnx` or `model_int8.onnx`.
    pub model: Vec<u8>,
    /// The precision of `model`.
    pub precision: Precision,
}

impl ModelBytes {
    /// The content of `onnx_config.json`, of `tokenizer.json`, and of the model
    /// file of that precision.
    pub fn new(
        config: impl Into<Vec<u8>>,
        tokenizer: impl Into<Vec<u8>>,
        model: impl Into<Vec<u8>>,
        precision: Precision,
    ) -> Self {
        Self {
            config: config.into(),
            tokenizer: tokenizer.into(),
            model: model.into(),
            precision,
        }
    }
}

/// A model as read from its files, not loaded into an engine yet.
pub(crate) struct ModelFiles {
    pub(crate) parts: ModelParts,
    pub(crate) model: ModelGraph,
    pub(crate) weights: WeightsHasher,
    pub(crate) precision: Precision,
    /// That of the options, or else of the model.
    pub(crate) normalization: Normalization,
}

impl ModelFiles {
    pub(crate) fn from_directory(
        directory: &ModelDirectory,
        options: &LoadOptions,
    ) -> Result<Self> {
        let chosen = directory.choose_for(options)?;
        let parts = directory.parts()?;
        // Other devices compute in 16 bits faster than in 32.
        let halves = if options.provider == Provider::Cpu {
            Halves::Widened
        } else {
            Halves::Kept
        };
        let Assembled {
            mut model,
            hasher,
            precision,
        } = assemble(directory, chosen, halves)?;
        let normalization = options.encode.normalization.resolve(parts.normalization());
        model.normalize(normalization);
        Ok(Self {
            precision,
            parts,
            model,
            weights: hasher,
            normalization,
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
        let config = ModelConfig::from_json("onnx_config.json", &bytes.config)?;
        let parts = ModelParts::new(config, "tokenizer.json", &bytes.tokenizer)?;
        let mut weights = WeightsHasher::new();
        weights.update(model);
        let file = match bytes.precision {
            Precision::Int8 => "model_int8.onnx",
            _ => "model.onnx",
        };
        let mut model = ModelGraph::parse(file, model.clone())?;
        let promise = Promise {
            width: parts.config().embedding_dim,
            ..Promise::default()
        };
        // A single output of another width contradicts the configuration, which
        // is found later and names both.
        let any = Promise::default();
        if adapt_interface(&mut model.graph, file, promise).is_err() {
            adapt_interface(&mut model.graph, file, any)?;
        }
        let normalization = options.encode.normalization.resolve(parts.normalization());
        model.normalize(normalization);
        Ok(Self {
            parts,
            model,
            weights,
            precision: bytes.precision,
            normalization,
        })
    }
}

impl ModelDirectory {
    /// The weights that these options ask for.
    pub(crate) fn choose_for(&self, options: &LoadOptions) -> Result<&WeightsFile> {
        if let Some(file) = &options.file {
            return self.choose_file(file);
        }
        // Other devices than the CPU are not faster with INT8.
        let has_fp32 = self.weights(Precision::Fp32).is_some();
        let wants_fp32 = options.provider != Provider::Cpu && has_fp32;
        self.choose(options.precision.or(wants_fp32.then_some(Precision::Fp32)))
    }
}

impl ModelGraph {
    /// Removes normalization at the end of the graph if it is turned off.
    fn normalize(&mut self, normalization: Normalization) {
        if normalization == Normalization::Off && remove_final_normalization(&mut self.graph) {
            self.path = None;
        }
    }
}
