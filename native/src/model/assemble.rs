//! From the files of a directory to the graph of the whole model.

use std::io::Cursor;

use multivec_core::model::{
    ModelDescription, ModelStore, WeightsFile, build_graph, complete_graph, stored_precision,
};
use multivec_core::{Error, ModelKind, Precision, Result, WeightsHasher};
use multivec_graph::safetensors::WeightIndex;

use super::directory::ModelDirectory;
use super::graph::ModelGraph;
use super::weights::{Content, HeldFile, WeightFiles};

/// A graph that gives the model's embeddings.
pub(crate) struct Assembled {
    pub(crate) model: ModelGraph,
    /// Has hashed all that embeddings depend on but the tokenizer and the
    /// configuration of texts.
    pub(crate) hasher: WeightsHasher,
    /// That of the weights as they are stored.
    pub(crate) precision: Precision,
    /// What the graph was made for.
    pub(crate) description: ModelDescription,
}

/// What becomes of a graph that computes in 16-bit floats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    Kept,
    /// It computes in 32 bits.
    Widened,
}

/// As [`assemble`], for a file with the graph.
///
/// # Errors
/// Those of [`assemble`], and [`Error::ModelMismatch`] for a model of several
/// kinds, whose outputs our graphs join.
pub(crate) fn assemble_to_write(
    directory: &ModelDirectory,
    weights: &WeightsFile,
    halves: Halves,
) -> Result<Assembled> {
    let assembled = assemble(directory, weights, halves, None)?;
    match assembled.description.kind() {
        kind @ ModelKind::Hybrid => Err(Error::model_mismatch(
            assembled.model.file(),
            "kind",
            "a model of one kind, which one graph can be written of",
            format_args!("a {kind} model"),
        )),
        _ => Ok(assembled),
    }
}

/// Puts the graph of weights together, with what follows the transformer. A
/// model of several kinds becomes one of the kind that is wanted.
pub(crate) fn assemble(
    directory: &ModelDirectory,
    weights: &WeightsFile,
    halves: Halves,
    wanted: Option<ModelKind>,
) -> Result<Assembled> {
    let named = weights.named_precision();
    let as_wanted = |description: ModelDescription| match wanted {
        Some(kind) => description.of_kind(kind),
        None => Ok(description),
    };
    let description = directory.description().clone();
    let mut hasher = WeightsHasher::new();
    let (mut model, precision, description) = if let WeightsFile::Onnx(path) = weights {
        let mut model = read(directory, path)?;
        let description = as_wanted(description.with_graph(&model.graph))?;
        let precision = stored_precision(&model.graph, named);
        if halves == Halves::Widened {
            model.widen()?;
        }
        let file = model.file().to_owned();
        let completed = complete_graph(&description, &mut model.graph, &file, directory)?;
        if completed.is_changed {
            // It is no longer the graph in the file.
            model.path = None;
        }
        let held = completed.files.iter().map(|file| directory.hold(file));
        model.weights.held.extend(held.collect::<Result<Vec<_>>>()?);
        (model, precision, description)
    } else {
        let description = as_wanted(description)?;
        let built = build_graph(&description, weights, directory)?;
        hasher.update(&built.config);
        let precision = stored_precision(&built.graph, named);
        let held = built.files.iter().map(|file| directory.hold(file));
        let weights = WeightFiles {
            file: directory.name(weights.path()),
            held: held.collect::<Result<_>>()?,
            folder: None,
        };
        let (graph, path) = (built.graph, None);
        (
            ModelGraph {
                graph,
                path,
                weights,
            },
            precision,
            description,
        )
    };
    model.hash(&mut hasher)?;
    model.read_small()?;
    Ok(Assembled {
        model,
        hasher,
        precision,
        description,
    })
}

/// Reads a graph; in memory, with the external data that is there.
fn read(directory: &ModelDirectory, path: &str) -> Result<ModelGraph> {
    if let Some(path) = directory.path(path) {
        return Ok(ModelGraph::open(&path)?);
    }
    let mut model = ModelGraph::scan(directory.hold(path)?)?;
    let folder = path.rsplit_once('/').map(|(folder, _)| folder);
    let mut held = Vec::new();
    for name in model.external_files() {
        let place = folder.map_or(name.to_owned(), |folder| format!("{folder}/{name}"));
        held.push(HeldFile {
            name: name.to_owned(),
            ..directory.hold(&place)?
        });
    }
    model.weights.held.extend(held);
    model.read_small()?;
    Ok(model)
}

impl ModelStore for ModelDirectory {
    fn location(&self) -> String {
        self.root().display().to_string()
    }

    fn name(&self, path: &str) -> String {
        self.name(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Ok(self.read(path)?.to_vec())
    }

    fn read_weights(&self, path: &str) -> Result<Vec<u8>> {
        ModelStore::read(self, path)
    }

    fn index(&self, path: &str, index: &mut WeightIndex) -> Result<()> {
        match self.hold(path)?.content {
            Content::Open(file) => index.read_file(path, file)?,
            Content::Memory(bytes) => index.read_file(path, Cursor::new(bytes))?,
        }
        Ok(())
    }
}
