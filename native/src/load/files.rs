//! The files of a model, read and hashed.

use std::fs::{self, File};
use std::path::Path;

use multivec_core::encoder::Normalization;
use multivec_core::graph::{Graph, remove_final_normalization};
use multivec_core::{Error, ModelParts, Precision, Result, WeightsHasher};

use super::builder::ModelBytes;
use super::{ModelDirectory, Options};
use crate::onnxruntime::GraphSource;

/// What a builder reads before an engine takes over.
pub(super) struct ModelFiles<'a> {
    pub(super) parts: ModelParts,
    /// The model file, for messages.
    pub(super) name: String,
    pub(super) graph: GraphSource<'a>,
    pub(super) weights: WeightsHasher,
    pub(super) precision: Precision,
}

impl<'a> ModelFiles<'a> {
    pub(super) fn from_dir(root: &Path, options: &Options) -> Result<Self> {
        let directory = ModelDirectory::open(root)?;
        let (model, precision) = directory.choose(options.precision)?;
        let named = |path: &Path| Ok::<_, Error>((path.display().to_string(), read(path)?));
        let (config, tokenizer) = (named(directory.config())?, named(directory.tokenizer())?);
        let parts = ModelParts::from_json((&config.0, &config.1), (&tokenizer.0, &tokenizer.1))?;
        let file = model.display().to_string();
        let bytes = read(model)?;
        let mut weights = WeightsHasher::new();
        weights.update(&bytes);
        let mut graph = Graph::parse(&file, bytes.into())?;
        let folder = model.parent().unwrap_or(root);
        hash_external(&graph, folder, &mut weights)?;
        let graph = match options.encode.normalization {
            Normalization::Off => {
                remove_final_normalization(&mut graph);
                GraphSource::Rewritten {
                    graph: graph.into_bytes(),
                    folder: folder.display().to_string(),
                }
            }
            _ => GraphSource::File(model.to_owned()),
        };
        Ok(Self {
            parts,
            graph,
            weights,
            precision,
            name: file,
        })
    }

    pub(super) fn from_bytes(bytes: &'a ModelBytes, options: &Options) -> Result<Self> {
        if let Some(precision) = options.precision
            && precision != bytes.precision
        {
            return Err(Error::option("precision", bytes.precision, precision));
        }
        let parts = ModelParts::from_json(
            ("onnx_config.json", &bytes.config),
            ("tokenizer.json", &bytes.tokenizer),
        )?;
        let file = match bytes.precision {
            Precision::Int8 => "model_int8.onnx",
            _ => "model.onnx",
        };
        let mut weights = WeightsHasher::new();
        weights.update(&bytes.model);
        let graph = match options.encode.normalization {
            Normalization::Off => raw_rows(file, bytes.model.clone())?.into(),
            _ => bytes.model.as_slice().into(),
        };
        Ok(Self {
            parts,
            graph: GraphSource::Bytes(graph),
            weights,
            precision: bytes.precision,
            name: file.to_owned(),
        })
    }
}

/// The graph without a normalization at its end.
fn raw_rows(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut graph = Graph::parse(file, bytes.into())?;
    remove_final_normalization(&mut graph);
    Ok(graph.into_bytes())
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
