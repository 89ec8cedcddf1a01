//! The files of a model, read and hashed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use multivec_core::encoder::Normalization;
use multivec_core::graph::onnx::TensorProto;
use multivec_core::graph::{Bytes, Graph, place, remove_final_normalization};
use multivec_core::{Error, ModelParts, Precision, Result, WeightsHasher};

use super::builder::ModelBytes;
use super::{ModelDirectory, Options, Provider};

/// What a builder reads before an engine takes over.
pub(super) struct ModelFiles {
    pub(super) parts: ModelParts,
    pub(super) model: ModelGraph,
    pub(super) weights: WeightsHasher,
    pub(super) precision: Precision,
}

/// A graph, and where it looks for weights that are not in it.
pub(crate) struct ModelGraph {
    /// The model file, for messages.
    pub(crate) file: String,
    pub(crate) bytes: Bytes,
    /// The file of these bytes, where there is one.
    pub(crate) path: Option<PathBuf>,
    /// The folder of weights that are not in the graph.
    pub(crate) folder: Option<String>,
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
        let bytes = Bytes::from(read(path)?);
        let mut weights = WeightsHasher::new();
        weights.update(&bytes);
        let folder = path.parent().unwrap_or(root);
        let mut model = ModelGraph {
            file: path.display().to_string(),
            bytes,
            path: Some(path.to_owned()),
            folder: Some(folder.display().to_string()),
        };
        let graph = Graph::parse(&model.file, model.bytes.clone())?;
        hash_external(&graph, folder, &mut weights)?;
        model.normalize(options.encode.normalization, graph);
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
        let mut model = ModelGraph {
            file: match bytes.precision {
                Precision::Int8 => "model_int8.onnx".to_owned(),
                _ => "model.onnx".to_owned(),
            },
            bytes: model.clone(),
            path: None,
            folder: None,
        };
        if options.encode.normalization == Normalization::Off {
            let graph = Graph::parse(&model.file, model.bytes.clone())?;
            model.normalize(Normalization::Off, graph);
        }
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
    fn normalize(&mut self, normalization: Normalization, mut graph: Graph) {
        if normalization == Normalization::Off {
            remove_final_normalization(&mut graph);
            self.bytes = graph.into_bytes().into();
            self.path = None;
        }
    }
}

/// Reads a tensor whose bytes are in a file beside the model.
pub(crate) fn read_tensor(tensor: &TensorProto, model: &ModelGraph) -> Result<Bytes> {
    let invalid = |found: &str| Error::InvalidModel {
        file: model.file.clone(),
        engine: "multivec",
        source: format!(
            "expected the place of the tensor `{}` in a file beside the model, found {found}",
            tensor.name.as_deref().unwrap_or_default()
        )
        .into(),
    };
    let place = place(tensor).ok_or_else(|| invalid("none"))?;
    let folder = model.folder.as_deref();
    let path =
        Path::new(folder.ok_or_else(|| invalid("a model without a folder"))?).join(place.file);
    let failed = |source| reading(&path, source);
    let mut file = File::open(&path).map_err(failed)?;
    let end = file.metadata().map_err(failed)?.len();
    let length = place.length.unwrap_or(end.saturating_sub(place.offset));
    if place.offset.saturating_add(length) > end {
        return Err(invalid(&format!("{end} bytes in {}", path.display())));
    }
    file.seek(SeekFrom::Start(place.offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes.into())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| reading(path, source))
}

fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        action: "reading",
        source,
    }
}

/// Hashes the weights that a graph keeps in files of their own.
fn hash_external(graph: &Graph, folder: &Path, weights: &mut WeightsHasher) -> Result<()> {
    for name in graph.external_files() {
        let path = folder.join(name);
        let file = File::open(&path).map_err(|source| reading(&path, source))?;
        weights
            .update_reader(file)
            .map_err(|source| reading(&path, source))?;
    }
    Ok(())
}
