//! Weights that all sessions of a backend read from one place.

use std::sync::Arc;

use multivec_core::Result;
use multivec_graph::onnx::{EXTERNAL, FLOAT, INT8, StringStringEntryProto, TensorProto, UINT8};
use multivec_graph::{Graph, embed_bytes};
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor};

use super::opener::invalid;
use crate::model::WeightFiles;

/// Where a lean graph says that its weights are. There is no such file.
const ELSEWHERE: &str = "multivec-shared-weights";

/// Tensors of fewer bytes are left to each session.
const LEAST: usize = 4 << 10;

/// The large tensors of a graph, and what ONNX Runtime has made of them for
/// its own products.
pub(super) struct SharedWeights {
    tensors: Vec<(String, Arc<DynValue>)>,
    prepacked: Option<PrepackedWeights>,
    graph: GraphWeights,
}

/// Which tensors are taken out of a graph.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// All large ones, wherever they are, for sessions that share them.
    Anywhere,
    /// Those of the model file that are not in the graph.
    ModelFile,
}

/// Whether the graph of the sessions has the weights as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GraphWeights {
    Without,
    Kept,
}

impl SharedWeights {
    /// For sessions that have a graph with its weights.
    pub(super) fn none() -> Self {
        Self {
            tensors: Vec::new(),
            prepacked: None,
            graph: GraphWeights::Kept,
        }
    }

    /// The same for sessions of the graph that they were taken from.
    pub(super) fn beside_the_whole(mut self) -> Self {
        self.graph = GraphWeights::Kept;
        self
    }

    /// Takes large tensors out of a graph. What is left of it runs in sessions
    /// that they are lent to, and in no other.
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
                // Otherwise each session would hold a copy for itself.
                tensor.raw_data = None;
                tensor.data_location = Some(EXTERNAL);
                tensor.external_data = vec![StringStringEntryProto {
                    key: Some("location".to_owned()),
                    value: Some(ELSEWHERE.to_owned()),
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

    /// Lets a session use them in place of its own.
    pub(super) fn lend_to(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (name, value) in &self.tensors {
            if self.graph == GraphWeights::Without {
                builder = builder.with_external_initializer(name, Arc::clone(value))?;
            }
            // Makes ONNX Runtime share what it packs of it, too.
            builder = builder.with_initializer(name, Arc::clone(value))?;
        }
        match &self.prepacked {
            Some(prepacked) => Ok(builder.with_prepacked_weights(prepacked)?),
            None => Ok(builder),
        }
    }
}

/// A tensor as a value of its own, where that is worth it.
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
    if held < LEAST {
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
            // Not copied where nobody else holds them.
            let bytes = Vec::from(weights.bytes_of(tensor)?);
            let is_whole = count == Some(bytes.len());
            let is_signed = tensor.data_type == Some(INT8);
            is_whole.then(|| match is_signed {
                true => {
                    let values: Vec<i8> = bytes.into_iter().map(|byte| byte as i8).collect();
                    Tensor::from_array((shape, values)).map(Tensor::into_dyn)
                }
                false => Tensor::from_array((shape, bytes)).map(Tensor::into_dyn),
            })
        }
    };
    // A tensor that contradicts itself is left to ONNX Runtime to refuse.
    let invalid = |error| invalid(weights.model(), error);
    value.transpose().map_err(invalid)
}

fn floats(raw: &[u8]) -> Vec<f32> {
    let values = raw.as_chunks().0.iter();
    values.map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
