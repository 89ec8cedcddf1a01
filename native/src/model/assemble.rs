//! From the files of a directory to the graph of the whole model.

use std::io::Cursor;

use multivec_core::model::{Dense, DenseWeights, Module, WeightsFile};
use multivec_core::{Error, Result, WeightsHasher};
use multivec_graph::modules::{self, append_normalization};
use multivec_graph::safetensors::{WeightIndex, shard_files};
use multivec_graph::{Interface, Promise, adapt_interface, architectures};

use super::directory::ModelDirectory;
use super::graph::ModelGraph;
use super::weights::{Content, HeldFile, WeightFiles};

/// Names of outputs that modules have yet to be applied to.
const STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

/// A graph that gives the model's embeddings, and the hash of all that they
/// depend on but the tokenizer and the configuration of texts.
pub(crate) struct Assembled {
    pub(crate) model: ModelGraph,
    pub(crate) hasher: WeightsHasher,
}

/// Puts the graph of weights together, with what follows the transformer.
pub(crate) fn assemble(directory: &ModelDirectory, weights: &WeightsFile) -> Result<Assembled> {
    match weights {
        WeightsFile::Safetensors(path) => from_safetensors(directory, &[path.clone()]),
        WeightsFile::SafetensorsIndex(path) => {
            let files = shard_files(&directory.name(path), &directory.read(path)?)?;
            let folder = path
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| format!("{folder}/"));
            let files: Vec<String> = files.iter().map(|file| format!("{folder}{file}")).collect();
            from_safetensors(directory, &files)
        }
        other => from_graph(directory, other.path()),
    }
}

fn from_safetensors(directory: &ModelDirectory, files: &[String]) -> Result<Assembled> {
    let mut hasher = WeightsHasher::new();
    let Some(transformer) = &directory.description().transformer else {
        let root = directory.root().display();
        return Err(Error::missing_file(
            root,
            "the configuration of the transformer",
            "config.json",
        ));
    };
    let json = directory.read(&transformer.config)?;
    hasher.update(&json);
    let (index, held) = open(directory, files)?;
    let name = directory.name(&transformer.config);
    let architecture = architectures::build(&name, &json, &index)?;
    let mut model = ModelGraph {
        graph: architecture.graph,
        path: None,
        weights: WeightFiles {
            file: held.first().map_or(name, |held| held.path.clone()),
            held,
            folder: None,
        },
    };
    append(directory, &mut model, architectures::OUTPUT, Some(&index))?;
    finish(model, hasher)
}

/// A graph as it is if it has all columns, else with the modules applied.
fn from_graph(directory: &ModelDirectory, path: &str) -> Result<Assembled> {
    let mut model = graph(directory, path)?;
    let description = directory.description();
    let first = description.modules.iter().find_map(|module| match module {
        Module::Dense(dense) => Some(dense.in_features),
        _ => None,
    });
    let file = model.file().to_owned();
    let complete = Promise {
        width: description.dim(),
        ..Promise::default()
    };
    let Some(width) = first else {
        let hidden = Promise {
            names: &STATES,
            ..complete
        };
        let is_described = !description.modules.is_empty() || description.transformer.is_some();
        let promise = if is_described { hidden } else { complete };
        let interface = adapt_interface(&mut model.graph, &file, promise)?;
        keep(&mut model, &interface);
        return finish(model, WeightsHasher::new());
    };
    let states = Promise {
        width: Some(width),
        names: &STATES,
    };
    let mut bare = model.graph.clone();
    let interface = match adapt_interface(&mut bare, &file, states) {
        // Square layers leave open whether they have been applied; names tell.
        Ok(interface)
            if description.dim() != Some(width) || STATES.contains(&interface.output.as_str()) =>
        {
            model.graph = bare;
            model.path = None;
            append(directory, &mut model, &interface.output, None)?;
            return finish(model, WeightsHasher::new());
        }
        Ok(_) => adapt_interface(&mut model.graph, &file, complete)?,
        Err(error) => match adapt_interface(&mut model.graph, &file, complete) {
            Ok(interface) => interface,
            Err(_) => return Err(error.into()),
        },
    };
    keep(&mut model, &interface);
    finish(model, WeightsHasher::new())
}

/// A graph that was changed is no longer the one in the file.
fn keep(model: &mut ModelGraph, interface: &Interface) {
    if interface.is_changed {
        model.path = None;
    }
}

fn finish(mut model: ModelGraph, mut hasher: WeightsHasher) -> Result<Assembled> {
    model.hash(&mut hasher)?;
    model.read_small()?;
    Ok(Assembled { model, hasher })
}

/// Appends the modules behind the transformer. `index` is that of its own
/// weights.
fn append(
    directory: &ModelDirectory,
    model: &mut ModelGraph,
    output: &str,
    index: Option<&WeightIndex>,
) -> Result<()> {
    let file = model.file().to_owned();
    let mut output = output.to_owned();
    for module in &directory.description().modules {
        output = match module {
            Module::Dense(dense) => {
                let (layer, held) = layer(directory, dense, index)?;
                model.weights.held.extend(held);
                layer.append_to(&mut model.graph, &file, &output)?
            }
            Module::Normalize => append_normalization(&mut model.graph, &file, &output)?,
            other => {
                return Err(Error::model_mismatch(
                    file,
                    "modules",
                    "Dense and Normalize behind the transformer",
                    format!("{other:?}"),
                ));
            }
        };
    }
    Ok(())
}

fn layer(
    directory: &ModelDirectory,
    dense: &Dense,
    index: Option<&WeightIndex>,
) -> Result<(modules::Dense, Vec<HeldFile>)> {
    match (&dense.weights, index) {
        (DenseWeights::File(path), _) => {
            let config = format!("{}/config.json", dense.folder);
            let (weights, held) = open(directory, std::slice::from_ref(path))?;
            let name = directory.name(&config);
            Ok((
                modules::Dense::from_config(&name, &directory.read(&config)?, &weights)?,
                held,
            ))
        }
        (_, Some(index)) => modules::Dense::from_model(index)?
            .map(|layer| (layer, Vec::new()))
            .ok_or_else(|| no_projection(directory)),
        // The layer is in the weights that the graph was made of.
        (_, None) => {
            let path = "model.safetensors".to_owned();
            let (weights, held) = open(directory, &[path])?;
            let layer = modules::Dense::from_model(&weights)?;
            layer
                .map(|layer| (layer, held))
                .ok_or_else(|| no_projection(directory))
        }
    }
}

fn no_projection(directory: &ModelDirectory) -> Error {
    Error::missing_file(
        directory.root().display(),
        "the projection",
        "a tensor `linear.weight`",
    )
}

/// Opens safetensors files, and reads their headers.
fn open(directory: &ModelDirectory, files: &[String]) -> Result<(WeightIndex, Vec<HeldFile>)> {
    let mut index = WeightIndex::new();
    let mut held = Vec::new();
    for name in files {
        let file = directory.hold(name)?;
        match &file.content {
            Content::Open(open) => index.read_file(name, open)?,
            Content::Memory(bytes) => index.read_file(name, Cursor::new(bytes))?,
        }
        held.push(file);
    }
    Ok((index, held))
}

/// Reads a graph; in memory, with the external data that is there.
fn graph(directory: &ModelDirectory, path: &str) -> Result<ModelGraph> {
    if let Some(path) = directory.path(path) {
        return Ok(ModelGraph::open(&path)?);
    }
    let mut model = ModelGraph::parse(path, directory.read(path)?)?;
    let folder = path.rsplit_once('/').map(|(folder, _)| folder);
    let mut held = Vec::new();
    for name in model.external_files() {
        let place = folder.map_or(name.to_owned(), |folder| format!("{folder}/{name}"));
        held.push(HeldFile {
            name: name.to_owned(),
            ..directory.hold(&place)?
        });
    }
    model.weights.held = held;
    model.read_small()?;
    Ok(model)
}
