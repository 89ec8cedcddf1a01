//! From the files of a directory to the graph of the whole model.

use std::io::Cursor;

use multivec_core::model::{
    ModelStore, WeightsFile, build_graph, complete_graph, stored_precision,
};
use multivec_core::{Precision, Result, WeightsHasher};
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
}

/// What becomes of a graph that computes in 16-bit floats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    Kept,
    /// It computes in 32 bits.
    Widened,
}

/// Puts the graph of weights together, with what follows the transformer.
pub(crate) fn assemble(
    directory: &ModelDirectory,
    weights: &WeightsFile,
    halves: Halves,
) -> Result<Assembled> {
    let (description, named) = (directory.description(), weights.named_precision());
    let mut hasher = WeightsHasher::new();
    let (mut model, precision) = if let WeightsFile::Onnx(path) = weights {
        let mut model = read(directory, path)?;
        let precision = stored_precision(&model.graph, named);
        if halves == Halves::Widened {
            model.widen()?;
        }
        let file = model.file().to_owned();
        let completed = complete_graph(description, &mut model.graph, &file, directory)?;
        if completed.is_changed {
            // It is no longer the graph in the file.
            model.path = None;
        }
        let held = completed.files.iter().map(|file| directory.hold(file));
        model.weights.held.extend(held.collect::<Result<Vec<_>>>()?);
        (model, precision)
    } else {
        let built = build_graph(description, weights, directory)?;
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
        )
    };
    model.hash(&mut hasher)?;
    model.read_small()?;
    Ok(Assembled {
        model,
        hasher,
        precision,
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
