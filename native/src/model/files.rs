//! Reads and hashes the files of a model.

use multivec_core::encoder::Normalization;
use multivec_core::model::{FloatGraph, WeightsFile};
use multivec_core::{Error, ModelKind, ModelParts, Precision, Quantization, Result, WeightsHasher};
use multivec_graph::Bytes;
use multivec_graph::passes::remove_final_normalization;

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
        wanted: Option<ModelKind>,
    ) -> Result<Self> {
        let chosen = directory.choose_for(options)?;
        // Other devices compute in 16 bits faster than in 32.
        let halves = if options.provider == Provider::Cpu {
            Halves::Widened
        } else {
            Halves::Kept
        };
        let Assembled {
            mut model,
            mut hasher,
            mut precision,
            description,
        } = assemble(directory, chosen, halves, wanted)?;
        let mut parts = ModelParts::of(&description, directory)?;
        if chosen.is_quantized_at_load(options.precision_to_load()) {
            let quantization = model.quantize(&mut hasher, options.precision)?;
            if quantization == Quantization::AtLoad {
                precision = Precision::Int8;
            }
            parts = parts.with_quantization(quantization);
        }
        check(options.precision, precision, model.file())?;
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
        wanted: Option<ModelKind>,
    ) -> Result<Self> {
        if let Some(precision) = options.precision
            && precision != bytes.precision
        {
            return Err(Error::option("precision", bytes.precision, precision));
        }
        let file = match bytes.precision {
            Precision::Int8 => "model_int8.onnx",
            Precision::Int4 => "model_q4.onnx",
            Precision::Fp16 => "model_fp16.onnx",
            _ => "model.onnx",
        };
        let files = [
            ("onnx_config.json", bytes.config.clone().into()),
            ("tokenizer.json", bytes.tokenizer.clone().into()),
            (file, model.clone()),
        ];
        let files = files.map(|(path, content)| (path.to_owned(), content));
        let directory = ModelDirectory::in_memory(files.into())?;
        let options = LoadOptions {
            precision: None,
            ..options.clone().with_file(file)
        };
        Self::from_directory(&directory, &options, wanted)
    }
}

/// Refuses weights of another precision than the one that is wanted; FP32 are
/// all that are not quantized.
fn check(wanted: Option<Precision>, found: Precision, file: &str) -> Result<()> {
    let fits = match wanted {
        None => true,
        Some(Precision::Fp32) => !found.is_quantized(),
        Some(wanted) => wanted == found,
    };
    if fits {
        return Ok(());
    }
    let wanted = wanted.map_or(String::new(), |wanted| wanted.to_string());
    let expected = format!("{found}, as the weights of {file} are");
    Err(Error::option("precision", expected, wanted))
}

impl LoadOptions {
    /// The precision that is asked for, or goes with the device.
    fn precision_to_load(&self) -> Option<Precision> {
        // Other devices than the CPU are not faster with INT8.
        let is_other = self.provider != Provider::Cpu;
        self.precision.or(is_other.then_some(Precision::Fp32))
    }
}

impl ModelDirectory {
    /// The weights that these options ask for.
    pub(crate) fn choose_for(&self, options: &LoadOptions) -> Result<&WeightsFile> {
        if let Some(file) = &options.file {
            return self.choose_file(file);
        }
        let wanted = options.precision_to_load();
        let has_floats = self.weights(Precision::Fp32).is_some();
        let wanted = wanted.filter(|_| options.precision.is_some() || has_floats);
        let found = self.description().weights_for(wanted);
        found
            .first()
            .copied()
            .ok_or_else(|| self.no_weights(wanted))
    }
}

impl ModelGraph {
    /// Quantizes weights of floats; `wanted` as in [`FloatGraph::quantize`].
    pub(crate) fn quantize(
        &mut self,
        hasher: &mut WeightsHasher,
        wanted: Option<Precision>,
    ) -> Result<Quantization> {
        let graph = FloatGraph {
            graph: &mut self.graph,
            file: self.weights.model(),
            external: &|tensor| self.weights.read(tensor),
            hasher,
        };
        graph.quantize(wanted)
    }

    /// Removes normalization at the end of the graph if it is turned off.
    fn normalize(&mut self, normalization: Normalization) {
        if normalization == Normalization::Off && remove_final_normalization(&mut self.graph) {
            self.path = None;
        }
    }
}
