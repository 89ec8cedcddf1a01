//! Model directories, in the formats that hubs and exporters use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use multivec_core::model::{ModelDescription, ModelFolder, WeightsFile, describe};
use multivec_core::{Error, ModelParts, Precision, Result};
use multivec_graph::Bytes;

use super::place::Place;
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

    /// The paths of configurations, of the tokenizer, and of the weights of
    /// modules: what a copy of the model with other weights needs.
    pub fn files_besides_weights(&self) -> impl Iterator<Item = &str> {
        let of_modules = self.description.module_files();
        self.files().filter(move |path| {
            ModelFolder::reads(path)
                || *path == self.description.tokenizer
                || of_modules.iter().any(|file| file == path)
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

    /// Reads the tokenizer, and what is behind the graph.
    pub(crate) fn parts(&self) -> Result<ModelParts> {
        ModelParts::of(&self.description, self)
    }

    /// The weights of a precision, if the directory has such: of FP32 those that
    /// are not quantized.
    pub fn weights(&self, precision: Precision) -> Option<&WeightsFile> {
        self.description.weights_of(precision).first().copied()
    }

    /// The weights to load: by default INT8 if there are any, otherwise those
    /// that are not quantized. Of these, `model.safetensors` comes before
    /// graphs, unless its family is not implemented.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if the directory has none of that precision.
    pub fn choose(&self, precision: Option<Precision>) -> Result<&WeightsFile> {
        let order: &[Precision] = match &precision {
            Some(precision) => std::slice::from_ref(precision),
            None => &[Precision::Int8, Precision::Fp32, Precision::Int4],
        };
        let chosen = order.iter().find_map(|&precision| self.weights(precision));
        chosen.ok_or_else(|| self.no_weights(precision))
    }

    pub(super) fn no_weights(&self, precision: Option<Precision>) -> Error {
        const FLOATS: &str = "model.safetensors, model.onnx, onnx/model.onnx";
        const INTEGERS: &str = "model_int8.onnx, onnx/model_int8.onnx, \
                                    model_quantized.onnx, onnx/model_quantized.onnx";
        let (what, names) = match precision {
            Some(Precision::Int8) => ("the INT8 model", INTEGERS.to_owned()),
            Some(Precision::Fp32) => ("the FP32 model", FLOATS.to_owned()),
            Some(Precision::Fp16 | Precision::Bf16) => (
                "weights of 16-bit floats",
                format!("model_fp16.onnx, {FLOATS}"),
            ),
            Some(Precision::Int4) => ("the 4-bit model", "model_q4.onnx".to_owned()),
            _ => ("the model", format!("{FLOATS}, {INTEGERS}")),
        };
        Error::missing_file(self.root().display(), what, names)
    }

    /// The weights in a file of that name, relative to the directory.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if it is none of the model's weights.
    pub fn choose_file(&self, file: &str) -> Result<&WeightsFile> {
        let mut all = self.description.weights.iter();
        all.find(|weights| weights.path() == file).ok_or_else(|| {
            let all = self.description.weights.iter();
            let known: Vec<&str> = all.map(WeightsFile::path).collect();
            let known = format!("`{file}`; it has {}", known.join(", "));
            Error::missing_file(self.root().display(), "the weights in the file", known)
        })
    }
}
