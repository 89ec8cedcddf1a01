//! The files of a model, and which of them have to be loaded.

use std::collections::BTreeMap;

use js_sys::Uint8Array;
use multivec_core::model::{
    DenseWeights, ModelDescription, ModelFolder, ModelStore, Module, WeightsFile, describe,
    weight_files,
};
use multivec_core::{Error, ModelKind, Precision, Result};
use multivec_graph::safetensors::WeightIndex;
use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::preserve;

use super::wanted::Wanted;

/// All files of a folder, and the content of the small ones.
#[derive(Deserialize)]
pub(super) struct Listing {
    location: String,
    paths: Vec<String>,
    contents: BTreeMap<String, Content>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Content {
    #[serde(with = "preserve")]
    bytes: Uint8Array,
}

/// What has to be loaded beside the files that descriptions are read from.
#[derive(Serialize)]
pub(super) struct Plan {
    /// The kind that the model is loaded as; `null` where the graph alone says
    /// whether it is the one that is wanted.
    kind: Option<String>,
    tokenizer: String,
    /// Weights that would do, the best first.
    weights: Vec<Weights>,
    /// Files with the weights of modules.
    modules: Vec<String>,
}

#[derive(Serialize)]
struct Weights {
    path: String,
    /// The files that hold them; `null` as long as the content of `path` is
    /// not among those that are given, which names them.
    files: Option<Vec<String>>,
}

impl Listing {
    pub(super) fn folder(&self) -> ModelFolder {
        let folder = ModelFolder::new(&self.location);
        let folder = self.paths.iter().fold(folder, ModelFolder::with_path);
        let contents = self.contents.iter();
        contents.fold(folder, |folder, (path, content)| {
            if ModelFolder::reads(path) {
                folder.with_file(path, content.bytes.to_vec())
            } else {
                folder.with_path(path)
            }
        })
    }

    /// What the files say.
    pub(super) fn description(&self) -> Result<ModelDescription> {
        describe(&self.folder())
    }

    /// What to load.
    pub(super) fn plan(&self, wanted: &Wanted) -> Result<Plan> {
        let description = self.description()?;
        let precision = wanted.precision();
        let chosen = description.weights_for(precision);
        if chosen.is_empty() {
            return Err(self.no_weights(&description, precision));
        }
        let weights = chosen.iter().map(|weights| {
            Ok(Weights {
                path: weights.path().to_owned(),
                files: self.files(&description, weights)?,
            })
        });
        let is_graph = matches!(chosen.first(), Some(WeightsFile::Onnx(_)));
        Ok(Plan {
            kind: kind(&description, wanted.kind(), is_graph)?,
            weights: weights.collect::<Result<_>>()?,
            modules: description.module_files(),
            tokenizer: description.tokenizer,
        })
    }

    fn files(
        &self,
        description: &ModelDescription,
        weights: &WeightsFile,
    ) -> Result<Option<Vec<String>>> {
        let path = weights.path();
        Ok(match weights {
            WeightsFile::SafetensorsIndex(_) if !self.contents.contains_key(path) => None,
            WeightsFile::Onnx(_) => {
                let is_in_transformer = description.modules.iter().any(|module| {
                    matches!(module, Module::Dense(dense) if dense.weights == DenseWeights::Transformer)
                });
                // Exporters name external data after the graph.
                let is_beside = |other: &&String| {
                    let rest = other.strip_prefix(path);
                    rest.is_some_and(|rest| rest.starts_with("_data") || rest.starts_with(".data"))
                        || is_in_transformer && *other == "model.safetensors"
                };
                let beside = self.paths.iter().filter(is_beside).cloned();
                Some(std::iter::once(path.to_owned()).chain(beside).collect())
            }
            _ => Some(weight_files(weights, self)?),
        })
    }

    fn no_weights(&self, description: &ModelDescription, precision: Option<Precision>) -> Error {
        let found: Vec<&str> = description.weights.iter().map(WeightsFile::path).collect();
        let (what, names) = match precision {
            Some(Precision::Int8) => ("the INT8 model", "model_int8.onnx, model_quantized.onnx"),
            Some(_) => ("the FP32 model", "model.safetensors, model.onnx"),
            None => (
                "the model",
                "model.safetensors, model.onnx, model_int8.onnx",
            ),
        };
        let found = match found.as_slice() {
            [] => String::new(),
            found => format!(", beside {}", found.join(", ")),
        };
        Error::missing_file(&self.location, what, format_args!("{names}{found}"))
    }

    pub(super) fn content(&self, path: &str) -> Result<Vec<u8>> {
        let content = self.contents.get(path);
        content
            .map(|content| content.bytes.to_vec())
            .ok_or_else(|| self.missing(path))
    }

    pub(super) fn missing(&self, path: &str) -> Error {
        Error::missing_file(&self.location, "a file of the model", path)
    }
}

/// The kind that a model is loaded as, as far as it is known. Graphs of dense
/// models may turn out to have outputs of other kinds as well.
fn kind(
    description: &ModelDescription,
    wanted: Option<ModelKind>,
    is_graph: bool,
) -> Result<Option<String>> {
    let found = match wanted {
        Some(ModelKind::MultiVector | ModelKind::Sparse | ModelKind::Hybrid)
            if is_graph && description.kind() == ModelKind::Dense =>
        {
            return Ok(None);
        }
        Some(wanted) => description.clone().of_kind(wanted)?.kind(),
        None => description.kind(),
    };
    Ok(Some(found.to_string()))
}

impl ModelStore for Listing {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn name(&self, path: &str) -> String {
        ModelFolder::new(&self.location).name(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.content(path)
    }

    fn index(&self, path: &str, _: &mut WeightIndex) -> Result<()> {
        Err(self.missing(path))
    }

    fn read_weights(&self, path: &str) -> Result<Vec<u8>> {
        Err(self.missing(path))
    }
}
