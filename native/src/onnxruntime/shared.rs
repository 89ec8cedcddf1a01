//! Weights that all sessions of a backend share.

use std::sync::Arc;

use multivec_core::Result;
use multivec_graph::onnx::{EXTERNAL, FLOAT, INT8, StringStringEntryProto, TensorProto, UINT8};
use multivec_graph::{Graph, embed_bytes};
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor};

use super::error::invalid;
use crate::model::WeightFiles;

/// The file that a graph names for shared weights. It does not exist.
const PLACEHOLDER: &str = "multivec-shared-weights";

/// Smaller tensors, in bytes, are copied by each session.
const MIN_SHARED: usize = 4 << 10;

/// The large tensors of a graph, and the packed forms that ONNX Runtime makes
/// of them.
pub(super) struct SharedWeights {
    tensors: Vec<(String, Arc<DynValue>)>,
    prepacked: Option<PrepackedWeights>,
    graph: GraphWeights,
}

/// Which tensors are taken out of a graph.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// All large ones, in whichever file, so that sessions share them.
    Anywhere,
    /// Those in the model file that the graph names.
    ModelFile,
}

/// Whether the graph of the sessions contains the weights as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GraphWeights {
    Without,
    Kept,
}

impl SharedWeights {
    /// No shared weights: the graph of the sessions has its own.
    pub(super) fn none() -> Self {
        Self {
            tensors: Vec::new(),
            prepacked: None,
            graph: GraphWeights::Kept,
        }
    }

    /// The same weights, for sessions whose graph contains them as well.
    pub(super) fn with_complete_graph(mut self) -> Self {
        self.graph = GraphWeights::Kept;
        self
    }

    /// Takes large tensors out of a graph, which from then on runs only in
    /// sessions that have them added.
    pub(super) fn take_from(graph: &mut Graph, weights: &WeightFiles, from: Taken) -> Result<Self> {
        let mut tensors = Vec::new();
        for tensor in &mut graph.proto_mut().initializer {
            let is_own = weights.hold(tensor);
            if from == Taken::ModelFile && !is_own {
                continue;
            }
            let name = tensor.name.clone();
            if let (Some(name), Some(value)) = (name, shared(tensor, weights)?) {
                tensors.push((name, Arc::new(value)));
                // Otherwise each session would keep a copy.
                tensor.raw_data = None;
                tensor.data_location = Some(EXTERNAL);
                tensor.external_data = vec![StringStringEntryProto {
                    key: Some("location".to_owned()),
                    value: Some(PLACEHOLDER.to_owned()),
                }];
            } else if is_own {
                let bytes = weights.read(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
        Ok(Self {
            tensors,
            prepacked: Some(PrepackedWeights::new()),
            graph: GraphWeights::Without,
        })
    }

    /// Makes a session use these weights in place of its own.
    pub(super) fn add_to(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (name, value) in &self.tensors {
            if self.graph == GraphWeights::Without {
                builder = builder.with_external_initializer(name, Arc::clone(value))?;
            }
            // Without this, ONNX Runtime does not share the packed form.
            builder = builder.with_initializer(name, Arc::clone(value))?;
        }
        match &self.prepacked {
            Some(prepacked) => Ok(builder.with_prepacked_weights(prepacked)?),
            None => Ok(builder),
        }
    }
}

/// A tensor as a value of its own, if it is large enough.
fn shared(tensor: &TensorProto, weights: &WeightFiles) -> Result<Option<DynValue>> {
    let shape = tensor.dims.clone();
    let count = shape.iter().try_fold(1usize, |count, &size| {
        count.checked_mul(usize::try_from(size).ok()?)
    });
    let size = match tensor.data_type {
        Some(FLOAT) => size_of::<f32>(),
        Some(INT8 | UINT8) => 1,
        _ => return Ok(None),
    };
    let is_outside = tensor.data_location == Some(EXTERNAL);
    let held = match &tensor.raw_data {
        Some(raw) => raw.len(),
        None if is_outside => count.unwrap_or(0).saturating_mul(size),
        None => 0,
    };
    if held < MIN_SHARED {
        return Ok(None);
    }
    let value = match tensor.data_type {
        Some(FLOAT) => {
            let values = match &tensor.raw_data {
                Some(raw) => floats(raw),
                None => weights.read_floats(tensor)?,
            };
            let is_whole = count == Some(values.len());
            is_whole.then(|| Tensor::from_array((shape, values)).map(Tensor::into_dyn))
        }
        _ => {
            // Not copied if nothing else references them.
            let bytes = Vec::from(weights.bytes_of(tensor)?);
            let is_whole = count == Some(bytes.len());
            let is_signed = tensor.data_type == Some(INT8);
            is_whole.then(|| {
                if is_signed {
                    let values: Vec<i8> = bytes.into_iter().map(|byte| byte as i8).collect();
                    Tensor::from_array((shape, values)).map(Tensor::into_dyn)
                } else {
                    Tensor::from_array((shape, bytes)).map(Tensor::into_dyn)
                }
            })
        }
    };
    // ONNX Runtime reports tensors whose size contradicts their shape.
    let invalid = |error| invalid(weights.model(), error);
    value.transpose().map_err(invalid)
}

fn floats(raw: &[u8]) -> Vec<f32> {
    let values = raw.as_chunks().0.iter();
    values.map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
