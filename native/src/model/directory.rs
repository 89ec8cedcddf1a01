//! Model directories, in the formats that hubs and exporters use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(feature = "quantize")]
use multivec_core::model::{DenseWeights, Module};
use multivec_core::model::{ModelDescription, ModelFolder, WeightsFile, describe};
use multivec_core::{Error, ModelParts, Precision, Result};
use multivec_graph::{Bytes, architectures};

use super::place::Place;
use super::precision;
use super::weights::HeldFile;

/// The files of a model directory.
///
/// What they are is read by [`describe`], which knows the formats. Of several
/// weights, the ones to load are [chosen](Self::choose) in a documented order.
#[derive(Clone, Debug)]
pub struct ModelDirectory {
    place: Place,
    folder: ModelFolder,
    description: ModelDescription,
}

/// Weights that were chosen, and the precision that their name states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chosen<'a> {
    /// The file, relative to the directory.
    pub weights: &'a WeightsFile,
    /// By the name of the file.
    pub precision: Precision,
}

impl ModelDirectory {
    /// Finds the files and reads what they say, without the weights.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, and those of [`describe`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::of(Place::Folder(root.into()))
    }

    pub(crate) fn in_memory(files: BTreeMap<String, Bytes>) -> Result<Self> {
        Self::of(Place::Memory(files))
    }

    fn of(place: Place) -> Result<Self> {
        let folder = place.list()?;
        let description = describe(&folder)?;
        Ok(Self {
            place,
            folder,
            description,
        })
    }

    /// A folder of which it is known what it has, or will have.
    #[cfg(feature = "hub")]
    pub(crate) fn listed(root: PathBuf, folder: ModelFolder) -> Result<Self> {
        Ok(Self {
            place: Place::Folder(root),
            description: describe(&folder)?,
            folder,
        })
    }

    /// What the files say.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The directory's path.
    pub fn root(&self) -> &Path {
        self.place.root().unwrap_or(Path::new(""))
    }

    /// The paths of all files, relative to the directory.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.folder.paths()
    }

    /// The tokenizer's path.
    pub fn tokenizer(&self) -> PathBuf {
        self.root().join(&self.description.tokenizer)
    }

    /// Configurations, the tokenizer, and the weights of modules.
    #[cfg(feature = "quantize")]
    pub(crate) fn files_besides_weights(&self) -> impl Iterator<Item = &str> {
        let modules = self.description.modules.iter();
        let of_modules: Vec<&str> = modules
            .filter_map(|module| match module {
                Module::Dense(dense) => match &dense.weights {
                    DenseWeights::File(path) => Some(path.as_str()),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        self.files().filter(move |path| {
            ModelFolder::reads(path)
                || *path == self.description.tokenizer
                || of_modules.contains(path)
        })
    }

    pub(crate) fn read(&self, file: &str) -> Result<Bytes> {
        self.place.read(file)
    }

    /// The name of a file in messages.
    pub(super) fn name(&self, file: &str) -> String {
        self.place.name(file)
    }

    /// A file whose parts are read later.
    pub(super) fn hold(&self, file: &str) -> Result<HeldFile> {
        self.place.hold(file)
    }

    /// The path of a file, if it is not in memory.
    pub(crate) fn path(&self, file: &str) -> Option<PathBuf> {
        Some(self.place.root()?.join(file))
    }

    /// Reads the tokenizer.
    pub(crate) fn parts(&self) -> Result<ModelParts> {
        let file = &self.description.tokenizer;
        ModelParts::of(&self.description, &self.name(file), &self.read(file)?)
    }

    /// The weights of a precision, if the directory has such: of FP32 those that
    /// are not quantized.
    pub fn weights(&self, precision: Precision) -> Option<Chosen<'_>> {
        let mut found: Vec<Chosen<'_>> = self.all_weights().collect();
        found.retain(|chosen| match precision {
            Precision::Fp32 => !chosen.precision.is_quantized(),
            other => chosen.precision == other,
        });
        // Stable: what is equal stays in the order of the description.
        found.sort_by_key(|chosen| {
            let is_exact = chosen.precision == precision;
            let has_family = self.can_be_read(chosen.weights);
            (
                !is_exact,
                !has_family,
                precision::rank(chosen.weights.path()),
            )
        });
        found.first().copied()
    }

    /// The weights to load: by default INT8 if there are any, otherwise those
    /// that are not quantized. Of these, `model.safetensors` comes before
    /// graphs, unless its family is not implemented.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if the directory has none of that precision.
    pub fn choose(&self, precision: Option<Precision>) -> Result<Chosen<'_>> {
        let order: &[Precision] = match &precision {
            Some(precision) => std::slice::from_ref(precision),
            None => &[Precision::Int8, Precision::Fp32, Precision::Int4],
        };
        let chosen = order.iter().find_map(|&precision| self.weights(precision));
        chosen.ok_or_else(|| {
            let (what, names) = match precision {
                Some(Precision::Int8) => {
                    ("the INT8 model", "model_int8.onnx, model_quantized.onnx")
                }
                Some(Precision::Fp32) => ("the FP32 model", "model.safetensors, model.onnx"),
                _ => (
                    "the model",
                    "model.safetensors, model.onnx, model_int8.onnx",
                ),
            };
            let found: Vec<&str> = self
                .all_weights()
                .map(|chosen| chosen.weights.path())
                .collect();
            let found = match found.as_slice() {
                [] => String::new(),
                found => format!(", beside {}", found.join(", ")),
            };
            let names = format!("{names}, in it or in its folder onnx{found}");
            Error::missing_file(self.root().display(), what, names)
        })
    }

    /// The weights in a file of that name, relative to the directory.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if it is none of the model's weights.
    pub fn choose_file(&self, file: &str) -> Result<Chosen<'_>> {
        let mut all = self.all_weights();
        all.find(|chosen| chosen.weights.path() == file)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .all_weights()
                    .map(|chosen| chosen.weights.path())
                    .collect();
                let known = format!("`{file}`; it has {}", known.join(", "));
                Error::missing_file(self.root().display(), "the weights in the file", known)
            })
    }

    fn all_weights(&self) -> impl Iterator<Item = Chosen<'_>> {
        self.description.weights.iter().map(|weights| Chosen {
            weights,
            precision: precision::of(weights),
        })
    }

    /// Whether a graph is there, or can be written.
    fn can_be_read(&self, weights: &WeightsFile) -> bool {
        let family = self.description.transformer.as_ref();
        matches!(weights, WeightsFile::Onnx(_))
            || family.is_some_and(|family| {
                architectures::model_types().any(|known| known == family.model_type)
            })
    }
}
