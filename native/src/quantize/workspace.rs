//! A model's weights in files of their own, in both precisions, while it is
//! found out which ones are to be had.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use multivec_core::graph::{Bytes, Graph, WeightsWriter, place, put_in};
use multivec_core::quantize::{self, Layer, QuantizedLayer, WeightRange};
use multivec_core::{Error, Result};
use tempfile::TempDir;

use super::{QuantizeStep, failed};
use crate::load::ModelGraph;

const FP32: &str = "fp32.data";
const INT8: &str = "int8.data";
/// Tensors up to so many bytes stay in the graph: what passes read is among
/// them.
const KEPT: usize = 1 << 17;

/// A folder that is removed in the end.
pub(super) struct Workspace {
    folder: TempDir,
    /// In floats, with large tensors in the folder.
    graph: Graph,
    layers: Vec<QuantizedLayer>,
    /// Names the model in messages.
    file: String,
}

impl Workspace {
    /// Quantizes all layers of a graph. What was read of the model is let go
    /// of.
    pub(super) fn fill(
        root: &Path,
        (model, layers): (ModelGraph, Vec<Layer>),
        range: WeightRange,
        progress: &mut dyn FnMut(QuantizeStep),
    ) -> Result<Self> {
        let fail = |error| failed(root, "writing", error);
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix(".multivec-").tempdir_in(root).map_err(fail)?;
        let create = |name| {
            let file = File::create(folder.path().join(name)).map_err(fail)?;
            Ok::<_, Error>(WeightsWriter::new(name, BufWriter::new(file)))
        };
        let ModelGraph {
            mut graph, weights, ..
        } = model;

        let mut int8 = create(INT8)?;
        let of = layers.len();
        let mut quantized = Vec::new();
        for (done, layer) in (1..).zip(layers) {
            let bytes = match layer.tensor(&graph) {
                Some(tensor) => weights.bytes_of(tensor)?,
                None => Bytes::new(),
            };
            let levels = quantize::quantize_weights(&layer, weights.model(), range, &bytes)?;
            let mut layer = levels.into_layer(layer);
            let levels = layer.weights.raw_data.take().unwrap_or_default();
            int8.add(&mut layer.weights, &levels).map_err(fail)?;
            quantized.push(layer);
            progress(QuantizeStep::Weights { done, of });
        }
        let mut fp32 = create(FP32)?;
        for tensor in &mut graph.proto_mut().initializer {
            let is_external = place(tensor).is_some();
            let held = tensor.raw_data.as_ref().map_or(0, Bytes::len);
            if !is_external && held.max(tensor.float_data.len() * 4) <= KEPT {
                continue;
            }
            let bytes = weights.bytes_of(tensor)?;
            if bytes.len() > KEPT {
                fp32.add(tensor, &bytes).map_err(fail)?;
            } else {
                put_in(tensor, bytes);
            }
        }
        for file in [int8, fp32] {
            file.into_inner().flush().map_err(fail)?;
        }
        Ok(Self {
            graph,
            layers: quantized,
            folder,
            file: weights.model().to_owned(),
        })
    }

    pub(super) fn layers(&self) -> &[QuantizedLayer] {
        &self.layers
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The model in floats, which names weights in the folder.
    pub(super) fn reference(&self) -> ModelGraph {
        self.model(self.graph.clone())
    }

    /// The model with all layers quantized but those.
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

    /// The model with its weights: in it where it has no more than so many
    /// bytes, in `data` under the name `name` otherwise. Says whether it was
    /// written.
    pub(super) fn finish(
        &self,
        kept: &BTreeSet<usize>,
        limit: u64,
        (name, data): (&str, &mut dyn Write),
    ) -> Result<(Vec<u8>, bool)> {
        let mut graph = self.quantized(kept);
        let model = self.reference();
        let lengths = graph.initializers().iter();
        let lengths = lengths.filter_map(|tensor| place(tensor)?.length);
        let size = lengths.sum::<u64>() + graph.clone().into_bytes().len() as u64;
        let is_external = size > limit;
        let mut writer = WeightsWriter::new(name, data);
        for tensor in &mut graph.proto_mut().initializer {
            if place(tensor).is_none() {
                continue;
            }
            let bytes = model.weights.read(tensor)?;
            if is_external {
                let fail = |error| failed(Path::new(name), "writing", error);
                writer.add(tensor, &bytes).map_err(fail)?;
            } else {
                put_in(tensor, bytes);
            }
        }
        Ok((graph.into_bytes(), is_external))
    }
}
