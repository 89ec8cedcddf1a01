//! Weights that all sessions of a backend read from one place.

use std::sync::Arc;

use multivec_core::graph::onnx::{
    EXTERNAL, FLOAT, INT8, StringStringEntryProto, TensorProto, UINT8,
};
use multivec_core::graph::{Bytes, Graph};
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor};

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

/// Whether the graph of the sessions has the weights as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GraphWeights {
    Taken,
    Kept,
}

impl SharedWeights {
    /// For a backend with one session.
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

    /// Takes the large tensors out of a graph. What is left of it runs in
    /// sessions that they are lent to, and in no other.
    pub(super) fn take_from(file: &str, graph: &Bytes) -> ort::Result<(Self, Bytes)> {
        let mut graph = Graph::parse(file, graph.clone()).map_err(ort::Error::wrap)?;
        let mut tensors = Vec::new();
        for tensor in &mut graph.proto_mut().initializer {
            if let (Some(name), Some(value)) = (tensor.name.clone(), shared(tensor)?) {
                tensors.push((name, Arc::new(value)));
                // Otherwise each session would hold a copy for itself.
                tensor.raw_data = None;
                tensor.data_location = Some(EXTERNAL);
                tensor.external_data = vec![StringStringEntryProto {
                    key: Some("location".to_owned()),
                    value: Some(ELSEWHERE.to_owned()),
                }];
            }
        }
        let shared = Self {
            tensors,
            prepacked: Some(PrepackedWeights::new()),
            graph: GraphWeights::Taken,
        };
        Ok((shared, graph.into_bytes().into()))
    }

    /// Lets a session use them in place of its own.
    pub(super) fn lend_to(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (name, value) in &self.tensors {
            if self.graph == GraphWeights::Taken {
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
fn shared(tensor: &TensorProto) -> ort::Result<Option<DynValue>> {
    let Some(raw) = tensor.raw_data.as_ref().filter(|raw| raw.len() >= LEAST) else {
        return Ok(None);
    };
    let shape = tensor.dims.clone();
    let count = shape.iter().try_fold(1usize, |count, &size| {
        count.checked_mul(usize::try_from(size).ok()?)
    });
    // A tensor that contradicts itself is left to ONNX Runtime to refuse.
    let is_whole = |size: usize| count.and_then(|count| count.checked_mul(size)) == Some(raw.len());
    Ok(match tensor.data_type {
        Some(FLOAT) if is_whole(size_of::<f32>()) => {
            let values: Vec<f32> = raw
                .chunks_exact(size_of::<f32>())
                .filter_map(|bytes| Some(f32::from_le_bytes(bytes.try_into().ok()?)))
                .collect();
            Some(Tensor::from_array((shape, values))?.into_dyn())
        }
        Some(UINT8) if is_whole(1) => Some(Tensor::from_array((shape, raw.to_vec()))?.into_dyn()),
        Some(INT8) if is_whole(1) => {
            let values: Vec<i8> = raw.iter().map(|&byte| byte as i8).collect();
            Some(Tensor::from_array((shape, values))?.into_dyn())
        }
        _ => None,
    })
}
