//! Rewritten graphs that are kept without the weights of their originals.

use std::collections::HashMap;

use super::file;
use crate::graph::Graph;
use crate::onnx::{EXTERNAL, StringStringEntryProto, TensorProto};

/// The file that tensors name whose bytes are in the original graph.
const ORIGINAL: &str = "original";
/// Bytes of the largest tensor that stays in the graph.
const KEPT: usize = 1 << 10;

impl Graph {
    /// Removes the bytes of large tensors that are the same in `original`.
    #[must_use]
    pub fn without_weights_of(mut self, original: &Self) -> Self {
        let originals = by_name(original);
        for tensor in &mut self.proto_mut().initializer {
            let is_large = match &tensor.raw_data {
                Some(raw) => raw.len() > KEPT,
                None => tensor.data_location == Some(EXTERNAL),
            };
            let same = originals.get(tensor.name.as_deref().unwrap_or_default());
            if is_large && same.is_some_and(|same| *same == tensor) {
                tensor.raw_data = None;
                tensor.data_location = Some(EXTERNAL);
                tensor.external_data = vec![StringStringEntryProto {
                    key: Some("location".to_owned()),
                    value: Some(ORIGINAL.to_owned()),
                }];
            }
        }
        self
    }

    /// Restores what [`without_weights_of`](Self::without_weights_of) removed.
    /// `None` if `original` is another graph.
    pub fn with_weights_of(mut self, original: &Self) -> Option<Self> {
        let originals = by_name(original);
        for tensor in &mut self.proto_mut().initializer {
            if file(tensor) == Some(ORIGINAL) {
                let same = originals.get(tensor.name.as_deref()?)?;
                let fits = same.dims == tensor.dims && same.data_type == tensor.data_type;
                *tensor = fits.then(|| (*same).clone())?;
            }
        }
        Some(self)
    }
}

fn by_name(graph: &Graph) -> HashMap<&str, &TensorProto> {
    let tensors = graph.initializers().iter();
    tensors
        .filter_map(|tensor| Some((tensor.name.as_deref()?, tensor)))
        .collect()
}
