//! From a model's files to an encoder.

use multivec_core::encoder::AnyHead;
use multivec_core::model::{
    FloatGraph, ModelDescription, ModelStore, WeightsFile, build_graph, complete_graph,
    stored_precision,
};
use multivec_core::{
    EncodeOptions, Error, ModelKind, ModelParts, Precision, Quantization, Result, TextEncoder,
    WeightsHasher,
};
use multivec_graph::onnx::TensorProto;
use multivec_graph::passes::widen_half_precision;
use multivec_graph::safetensors::WeightIndex;
use multivec_graph::{
    Bytes, ExternalLocation, FILE_START, Graph, describe_wrong_file, widen_stored,
};
use multivec_tract::{TractBackend, TractGraph};

use super::file::PartedFile;
use super::listing::Listing;
use super::wanted::ChosenWeights;
use crate::threads::{POOL, threads};

/// The files of a model.
pub(super) struct ModelFiles {
    pub(super) listing: Listing,
    /// Those that are read in parts.
    pub(super) large: Vec<PartedFile>,
}

/// A graph, the files that hold its weights, and the hash of what it depends on
/// beside them.
struct Assembled {
    graph: Graph,
    files: Vec<String>,
    precision: Precision,
    hasher: WeightsHasher,
    description: ModelDescription,
}

impl ModelFiles {
    /// Loads weights.
    pub(super) fn load(
        &self,
        chosen: &ChosenWeights,
        options: &EncodeOptions,
    ) -> Result<TextEncoder<AnyHead>> {
        let weights = chosen.path.as_str();
        let (precision, kind) = (chosen.wanted.precision(), chosen.wanted.kind());
        let description = self.listing.description()?;
        let chosen = description
            .weights
            .iter()
            .find(|one| one.path() == weights)
            .cloned()
            .ok_or_else(|| self.listing.missing(weights))?;
        let mut model = self.assemble(description, &chosen, kind)?;
        let mut parts = ModelParts::of(&model.description, self)?;
        self.hash(weights, &mut model)?;
        let external = |tensor: &TensorProto| self.tensor(weights, tensor);
        model.graph.read_small(&external)?;
        let name = self.listing.name(weights);
        if chosen.is_quantized_at_load(precision) {
            let graph = FloatGraph {
                graph: &mut model.graph,
                file: &name,
                external: &external,
                hasher: &mut model.hasher,
            };
            let quantization = graph.quantize(precision)?;
            if quantization == Quantization::AtLoad {
                model.precision = Precision::Int8;
            }
            parts = parts.with_quantization(quantization);
        }
        let graph = TractGraph::new(&name, model.graph, model.precision, &external)
            .with_normalization(options.normalization.resolve(parts.normalization()))
            .fused()
            .with_threads(threads());
        let backend = TractBackend::open(graph)?.with_concurrency(POOL.size());
        TextEncoder::new(parts, Box::new(backend), model.hasher, options)
    }

    /// A model of several kinds becomes one of the kind that is wanted.
    fn assemble(
        &self,
        description: ModelDescription,
        weights: &WeightsFile,
        wanted: Option<ModelKind>,
    ) -> Result<Assembled> {
        let as_wanted = |description: ModelDescription| match wanted {
            Some(kind) => description.of_kind(kind),
            None => Ok(description),
        };
        let mut hasher = WeightsHasher::new();
        let WeightsFile::Onnx(path) = weights else {
            let description = as_wanted(description)?;
            let built = build_graph(&description, weights, self)?;
            hasher.update(&built.config);
            return Ok(Assembled {
                precision: stored_precision(&built.graph, weights.named_precision()),
                graph: built.graph,
                files: built.files,
                hasher,
                description,
            });
        };
        let mut graph = self.graph(path)?;
        let precision = stored_precision(&graph, weights.named_precision());
        widen_half_precision(&mut graph);
        let mut files = vec![path.clone()];
        let description = as_wanted(description.with_graph(&graph))?;
        let completed = complete_graph(&description, &mut graph, &self.name(path), self)?;
        files.extend(completed.files);
        Ok(Assembled {
            graph,
            files,
            precision,
            hasher,
            description,
        })
    }

    /// Hashes the files of the graph at a path.
    fn hash(&self, path: &str, model: &mut Assembled) -> Result<()> {
        let external = model.graph.external_files().into_iter();
        let others = external
            .filter_map(|name| self.beside(path, name))
            .map(|file| file.path.as_str())
            .filter(|name| !model.files.iter().any(|file| file == name));
        let others: Vec<&str> = others.collect();
        for file in model.files.iter().map(String::as_str).chain(others) {
            let hashed = model.hasher.update_reader(self.file(file)?.reader());
            hashed.map_err(|source| Error::io(self.name(file), "reading", source))?;
        }
        Ok(())
    }

    fn graph(&self, path: &str) -> Result<Graph> {
        let (file, name) = (self.file(path)?, self.name(path));
        let start = file.read(0, file.size().min(FILE_START as u64))?;
        if let Some(found) = describe_wrong_file(&start) {
            return Err(multivec_graph::Error::file(&name, "an ONNX model", found).into());
        }
        Ok(Graph::scan(&name, path, file.reader())?)
    }

    fn file(&self, path: &str) -> Result<&PartedFile> {
        let found = self.large.iter().find(|file| file.path == path);
        found.ok_or_else(|| self.listing.missing(path))
    }

    /// A file that tensors of the graph at `path` name: by its path, or beside
    /// the graph.
    fn beside(&self, path: &str, name: &str) -> Option<&PartedFile> {
        self.file(name)
            .or_else(|_| self.file(&path_beside(path, name)))
            .ok()
    }

    /// The bytes of a tensor of the graph at `path`.
    fn tensor(&self, path: &str, tensor: &TensorProto) -> multivec_graph::Result<Bytes> {
        let name = tensor.name.as_deref().unwrap_or_default();
        let fail = |expected: &str, found: String| {
            let source = format!("expected the tensor `{name}` {expected}, found it {found}");
            multivec_graph::Error::invalid(self.name(path), source)
        };
        let place = ExternalLocation::of(tensor);
        let place = place.ok_or_else(|| fail("in a file", "nowhere".to_owned()))?;
        let file = self.beside(path, place.file).ok_or_else(|| {
            let found = format!("in `{}`, which is not among them", place.file);
            fail("in the model's files", found)
        })?;
        let end = match place.length {
            Some(length) => place.offset.checked_add(length),
            None => Some(file.size()),
        };
        let end = end.filter(|&end| place.offset <= end && end <= file.size());
        let end = end.ok_or_else(|| {
            let expected = format!("within the {} bytes of {}", file.size(), file.path);
            fail(&expected, format!("at {}", place.offset))
        })?;
        Ok(widen_stored(tensor, file.read(place.offset, end)?))
    }
}

/// The path of a file that the graph at `path` names, in the model's folder.
fn path_beside(path: &str, name: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

/// The other files that hold weights of a graph; none if it cannot be read.
pub(super) fn external_files(graph: &PartedFile) -> Vec<String> {
    let path = graph.path.as_str();
    let Ok(graph) = Graph::scan(path, path, graph.reader()) else {
        return Vec::new();
    };
    let names = graph.external_files().into_iter();
    // Large weights in the graph itself refer to it.
    let others = names.filter(|name| *name != path);
    others.map(|name| path_beside(path, name)).collect()
}

impl ModelStore for ModelFiles {
    fn location(&self) -> String {
        self.listing.location()
    }

    fn name(&self, path: &str) -> String {
        self.listing.name(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.listing.content(path)
    }

    fn read_weights(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.file(path)?;
        Ok(file.read(0, file.size())?.to_vec())
    }

    fn index(&self, path: &str, index: &mut WeightIndex) -> Result<()> {
        Ok(index.read_file(path, self.file(path)?.reader())?)
    }
}
