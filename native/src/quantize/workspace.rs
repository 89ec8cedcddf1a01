//! A model's weights in both precisions, in temporary files, while layers are
//! judged.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use multivec_core::Result;
use multivec_graph::onnx::TensorProto;
use multivec_graph::quantize::{
    self, CalibrationStats, Layer, LayerTensor, QuantizedLayer, Smoothable, WeightRange,
};
use multivec_graph::{Bytes, ExternalLocation, Graph, WeightsWriter, embed_bytes};
use tempfile::TempDir;

use super::error::failed;
use super::options::QuantizeStep;
use crate::model::ModelGraph;

const FP32: &str = "fp32.data";
const INT8: &str = "int8.data";
/// Tensors up to this size in bytes stay in the graph, where passes read them.
const MAX_INLINE: usize = 1 << 17;

/// A temporary folder, removed when this is dropped.
pub(super) struct Workspace {
    folder: TempDir,
    /// The FP32 model, with large tensors in the folder.
    graph: Graph,
    layers: Vec<QuantizedLayer>,
    /// The model's name in messages.
    file: String,
}

impl Workspace {
    /// Moves a model's large tensors to files.
    pub(super) fn store(root: &Path, model: ModelGraph) -> Result<Self> {
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix(".multivec-").tempdir_in(root);
        let folder = folder.map_err(|error| failed(root, "writing", error))?;
        let ModelGraph {
            mut graph, weights, ..
        } = model;
        let mut fp32 = Writer::new(folder.path(), FP32)?;
        for tensor in &mut graph.proto_mut().initializer {
            let is_external = ExternalLocation::of(tensor).is_some();
            let held = tensor.raw_data.as_ref().map_or(0, Bytes::len);
            if !is_external && held.max(tensor.float_data.len() * 4) <= MAX_INLINE {
                continue;
            }
            let bytes = weights.bytes_of(tensor)?;
            if bytes.len() > MAX_INLINE {
                fp32.add(tensor, &bytes)?;
            } else {
                embed_bytes(tensor, bytes);
            }
        }
        fp32.finish()?;
        Ok(Self {
            folder,
            graph,
            layers: Vec::new(),
            file: weights.model().to_owned(),
        })
    }

    /// Quantizes layers of the graph. Values are smoothed where their
    /// statistics call for it.
    pub(super) fn quantize(
        &mut self,
        layers: Vec<Layer>,
        calibrated: impl Iterator<Item = (Smoothable, CalibrationStats)>,
        range: WeightRange,
        progress: &mut dyn FnMut(QuantizeStep),
    ) -> Result<()> {
        let weights = self.reference().weights;
        let bytes_of = |layer: &Layer| match layer.tensor(&self.graph) {
            Some(tensor) => weights.bytes_of(tensor),
            None => Ok(Bytes::new()),
        };
        let file = self.file.as_str();
        let mut smoothing = vec![Vec::new(); layers.len()];
        for (value, stats) in calibrated {
            let readers = value.layers.iter().map(|&at| &layers[at]);
            let readers = readers.map(|layer| Ok((layer, bytes_of(layer)?)));
            let readers = readers.collect::<Result<Vec<_>>>()?;
            let readers: Vec<LayerTensor<'_>> = readers
                .iter()
                .map(|(layer, bytes)| LayerTensor::new(layer, bytes, file))
                .collect();
            let factors = quantize::smoothing_factors(&stats, &readers, range)?;
            for &at in value.layers.iter().filter(|_| factors.is_some()) {
                smoothing[at] = factors.clone().unwrap_or_default();
            }
        }
        let mut int8 = Writer::new(self.folder(), INT8)?;
        let of = layers.len();
        let mut quantized = Vec::new();
        for (done, (layer, factors)) in (1..).zip(layers.into_iter().zip(smoothing)) {
            let bytes = bytes_of(&layer)?;
            let tensor = LayerTensor::new(&layer, &bytes, file);
            let weights = quantize::quantize_weights(tensor, range, &factors)?;
            let mut layer = weights.into_layer(layer, &factors);
            let weights = layer.weights.raw_data.take().unwrap_or_default();
            int8.add(&mut layer.weights, &weights)?;
            quantized.push(layer);
            progress(QuantizeStep::Weights { done, of });
        }
        int8.finish()?;
        self.layers = quantized;
        Ok(())
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(super) fn layers(&self) -> &[QuantizedLayer] {
        &self.layers
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The FP32 model, with external weights in the folder.
    pub(super) fn reference(&self) -> ModelGraph {
        self.model(self.graph.clone())
    }

    /// The model with all layers quantized except `kept`.
    pub(super) fn without(&self, kept: &BTreeSet<usize>) -> ModelGraph {
        self.model(self.quantized(kept))
    }

    fn model(&self, graph: Graph) -> ModelGraph {
        ModelGraph::in_folder(&self.file, graph, self.folder())
    }

    fn quantized(&self, kept: &BTreeSet<usize>) -> Graph {
        let mut graph = self.graph.clone();
        let layers = self.layers.iter().enumerate();
        let chosen = layers.filter(|(at, _)| !kept.contains(at));
        let chosen: Vec<QuantizedLayer> = chosen.map(|(_, layer)| layer.clone()).collect();
        quantize::replace(&mut graph, &chosen);
        graph
    }

    /// The model with all layers quantized except `kept`. Its weights are in
    /// it up to a size of `limit` bytes, otherwise in `external`.
    pub(super) fn finish(
        &self,
        kept: &BTreeSet<usize>,
        limit: u64,
        external: External<'_>,
    ) -> Result<Finished> {
        let External { name, data } = external;
        let mut graph = self.quantized(kept);
        let model = self.reference();
        let lengths = graph.initializers().iter();
        let lengths = lengths.filter_map(|tensor| ExternalLocation::of(tensor)?.length);
        let size = lengths.sum::<u64>() + graph.clone().into_bytes().len() as u64;
        let is_external = size > limit;
        let mut writer = WeightsWriter::new(name, data);
        for tensor in &mut graph.proto_mut().initializer {
            if ExternalLocation::of(tensor).is_none() {
                continue;
            }
            let bytes = model.weights.read(tensor)?;
            if is_external {
                let fail = |error| failed(Path::new(name), "writing", error);
                writer.add(tensor, &bytes).map_err(fail)?;
            } else {
                embed_bytes(tensor, bytes);
            }
        }
        Ok(Finished {
            model: graph.into_bytes(),
            is_external,
        })
    }
}

/// A file for weights.
pub(super) struct External<'a> {
    /// The file's name in the model.
    pub(super) name: &'a str,
    pub(super) data: &'a mut dyn Write,
}

/// A model to be written.
pub(super) struct Finished {
    pub(super) model: Vec<u8>,
    /// Whether its weights were written to the external file.
    pub(super) is_external: bool,
}

/// Writes tensors to a file of the folder.
struct Writer {
    folder: PathBuf,
    writer: WeightsWriter<BufWriter<File>>,
}

impl Writer {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let file = File::create(folder.join(name));
        let file = file.map_err(|error| failed(folder, "writing", error))?;
        Ok(Self {
            folder: folder.to_owned(),
            writer: WeightsWriter::new(name, BufWriter::new(file)),
        })
    }

    fn add(&mut self, tensor: &mut TensorProto, bytes: &[u8]) -> Result<()> {
        let added = self.writer.add(tensor, bytes);
        added.map_err(|error| failed(&self.folder, "writing", error))
    }

    fn finish(self) -> Result<()> {
        let flushed = self.writer.into_inner().flush();
        flushed.map_err(|error| failed(&self.folder, "writing", error))
    }
}
