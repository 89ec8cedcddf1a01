//! From a description to the graph of the whole model.
//!
//! Weights stay where they are: tensors of the graph name the files and places
//! that hold them.

mod append;
mod complete;
mod head;
mod hybrid;
mod quantize;

use multivec_graph::architectures::Head;
use multivec_graph::onnx::{BFLOAT16, FLOAT16};
use multivec_graph::safetensors::{WeightIndex, shard_files};
use multivec_graph::{ExternalLocation, Graph, StoredType, architectures};

use super::description::{ModelDescription, WeightsFile};
use super::files::join;
use super::kind::HeadDescription;
use crate::backend::Precision;
use crate::error::{Error, Result};
use append::append;
pub use complete::{Completed, complete_graph};
use hybrid::append_hybrid;
pub use quantize::FloatGraph;

/// Names of outputs that modules have yet to be applied to.
const STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

/// The files of a model, as each platform opens them. Paths are those of the
/// [description](ModelDescription).
pub trait ModelStore {
    /// The folder's path or address, for messages.
    fn location(&self) -> String;

    /// A file's name in messages.
    fn name(&self, path: &str) -> String;

    /// The content of a small file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::MissingFile`] if it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>>;

    /// Adds the tensors of a safetensors file, under its path, to an index.
    ///
    /// # Errors
    /// Those of `read` and of [`WeightIndex::read_file`].
    fn index(&self, path: &str, index: &mut WeightIndex) -> Result<()>;

    /// The content of a file of weights that is read as a whole.
    ///
    /// # Errors
    /// Those of `read`.
    fn read_weights(&self, path: &str) -> Result<Vec<u8>>;
}

/// A graph of a model without ONNX.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltGraph {
    /// The graph, with all modules. Its tensors name files by their paths.
    pub graph: Graph,
    /// The paths of the files that hold its weights: the transformer's, then
    /// those of modules, in the graph and behind it.
    pub files: Vec<String>,
    /// The content of the transformer's `config.json`, which the graph depends
    /// on as well.
    pub config: Vec<u8>,
}

/// Builds the graph of safetensors weights, with the modules behind the
/// transformer.
///
/// # Errors
/// [`Error::MissingFile`] without the transformer's configuration or a file,
/// [`Error::InvalidFile`] for weights that cannot be read,
/// [`Error::ModelMismatch`] if the architecture is not implemented or a tensor
/// does not fit it, and those of `store`.
pub fn build_graph(
    description: &ModelDescription,
    weights: &WeightsFile,
    store: &impl ModelStore,
) -> Result<BuiltGraph> {
    let Some(transformer) = &description.transformer else {
        let what = "the configuration of the transformer";
        return Err(Error::missing_file(store.location(), what, "config.json"));
    };
    let mut files = weight_files(weights, store)?;
    let config = store.read(&transformer.config)?;
    let mut index = WeightIndex::new();
    for file in &files {
        store.index(file, &mut index)?;
    }
    let answers = match &description.head {
        HeadDescription::CrossEncoder(cross) => cross.answers.map(|answers| answers.ids()),
        _ => None,
    };
    let head = match &description.head {
        HeadDescription::MultiVector | HeadDescription::Dense(_) | HeadDescription::Hybrid(_) => {
            Head::None
        }
        HeadDescription::Sparse(_) => Head::MaskedLanguageModel,
        HeadDescription::CrossEncoder(_) => match &answers {
            Some(tokens) => Head::causal(tokens),
            None => Head::SequenceClassification,
        },
    };
    let file = store.name(&transformer.config);
    let mut graph = architectures::build(&file, &config, &index, head)?.graph;
    let name = files
        .first()
        .map_or_else(String::new, |file| store.name(file));
    let target = append::Target {
        graph: &mut graph,
        file: &name,
        output: head.output(),
        index: Some(&index),
    };
    if let HeadDescription::Hybrid(hybrid) = &description.head {
        append_hybrid(hybrid, target, store)?;
    } else {
        files.extend(append(description, target, store)?);
    }
    files.extend(description.head_files());
    Ok(BuiltGraph {
        graph,
        files,
        config,
    })
}

/// The paths of the files that hold weights.
///
/// # Errors
/// Those of `store`, and [`Error::InvalidFile`] for an index of several files
/// that is not valid.
pub fn weight_files(weights: &WeightsFile, store: &impl ModelStore) -> Result<Vec<String>> {
    let WeightsFile::SafetensorsIndex(path) = weights else {
        return Ok(vec![weights.path().to_owned()]);
    };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let files = shard_files(&store.name(path), &store.read(path)?)?;
    Ok(files.iter().map(|file| join(folder, file)).collect())
}

/// The precision of a graph's weights: 16-bit floats if most are stored as such,
/// else `named`, which the file's name says. Asked before a graph is made to
/// compute in 32 bits.
pub fn stored_precision(graph: &Graph, named: Precision) -> Precision {
    if named.is_quantized() {
        return named;
    }
    let (mut others, mut halves, mut brain_halves) = (0u64, 0u64, 0u64);
    for tensor in graph.initializers() {
        let stored = ExternalLocation::of(tensor).map(|location| location.stored);
        let count = match (tensor.data_type, stored) {
            (Some(FLOAT16), _) | (_, Some(StoredType::Float16)) => &mut halves,
            (Some(BFLOAT16), _) | (_, Some(StoredType::BFloat16)) => &mut brain_halves,
            _ => &mut others,
        };
        let sizes = tensor.dims.iter().map(|&size| size.max(0) as u64);
        *count = count.saturating_add(sizes.fold(1, u64::saturating_mul));
    }
    match halves.max(brain_halves) {
        most if most < others => named,
        most if most == halves => Precision::Fp16,
        _ => Precision::Bf16,
    }
}
