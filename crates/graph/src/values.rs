//! Questions that passes ask about the values of a graph.

use std::collections::HashMap;

use super::Graph;
use super::node::node;
use super::onnx::{BOOL, FLOAT, INT64, NodeProto, TensorProto};

/// Where each value of a graph comes from, and who reads it.
pub(crate) struct Values<'a> {
    producers: HashMap<&'a str, &'a NodeProto>,
    initializers: HashMap<&'a str, &'a TensorProto>,
    readers: HashMap<&'a str, usize>,
}

impl<'a> Values<'a> {
    pub(crate) fn new(graph: &'a Graph) -> Self {
        let proto = &graph.graph;
        let mut readers = HashMap::new();
        let inputs = proto.node.iter().flat_map(|node| &node.input);
        let outputs = proto.output.iter().filter_map(|value| value.name.as_ref());
        for name in inputs.chain(outputs) {
            *readers.entry(name.as_str()).or_insert(0) += 1;
        }
        let initializers = proto
            .initializer
            .iter()
            .filter_map(|tensor| Some((tensor.name.as_deref()?, tensor)))
            .collect();
        Self {
            producers: graph.producers(),
            initializers,
            readers,
        }
    }

    /// The node that computes `value`, if it is one of `op`.
    pub(crate) fn made_by(&self, value: &str, op: &str) -> Option<&'a NodeProto> {
        self.producers
            .get(value)
            .copied()
            .filter(|node| node.is(op))
    }

    /// How many inputs and graph outputs read `value`.
    pub(super) fn readers(&self, value: &str) -> usize {
        self.readers.get(value).copied().unwrap_or(0)
    }

    /// The value before any chain of `ops` that it went through, each by its
    /// first input.
    pub(crate) fn before(&self, value: &'a str, ops: &[&str]) -> &'a str {
        let mut value = value;
        // The graph is acyclic; the bound guards against corrupt ones.
        for _ in 0..16 {
            match self.producers.get(value) {
                Some(node) if ops.iter().any(|op| node.is(op)) => match node.input.first() {
                    Some(first) => value = first,
                    None => break,
                },
                _ => break,
            }
        }
        value
    }

    /// Whether `value` is part of the model.
    pub(super) fn is_constant(&self, value: &str) -> bool {
        self.constant(value).is_some()
    }

    /// A constant of integers, flattened.
    pub(super) fn integers(&self, value: &str) -> Option<Vec<i64>> {
        integers(self.constant(value)?)
    }

    /// A constant of floats, flattened.
    pub(super) fn floats(&self, value: &str) -> Option<Vec<f32>> {
        let tensor = self.constant(value)?;
        if tensor.data_type != Some(FLOAT) {
            return None;
        }
        Some(match &tensor.raw_data {
            Some(raw) => elements(raw, f32::from_le_bytes),
            None => tensor.float_data.clone(),
        })
    }

    /// Whether `value` is the constant `wanted`, alone or in every place.
    pub(super) fn is_integer(&self, value: &str, wanted: i64) -> bool {
        self.integers(value)
            .is_some_and(|found| !found.is_empty() && found.iter().all(|&one| one == wanted))
    }

    /// The tensor and axis whose size `value` is, as `Gather(Shape(x), axis)`
    /// through casts.
    pub(super) fn size_of(&self, value: &'a str) -> Option<(&'a str, i64)> {
        let gather = self.made_by(self.before(value, &["Cast", "Identity"]), "Gather")?;
        let [shape, index] = gather.input.as_slice() else {
            return None;
        };
        let shape = self.made_by(shape, "Shape")?;
        match self.integers(index)?.as_slice() {
            &[axis] if shape.attribute.is_empty() => Some((shape.input.first()?, axis)),
            _ => None,
        }
    }

    pub(crate) fn constant(&self, value: &str) -> Option<&'a TensorProto> {
        match self.made_by(value, "Constant") {
            Some(node) => node.attribute("value")?.t.as_ref(),
            None => self.initializers.get(value).copied(),
        }
    }
}

/// A tensor of integers or truth values, flattened.
pub(super) fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    match (tensor.data_type, &tensor.raw_data) {
        (Some(INT64), Some(raw)) => Some(elements(raw, i64::from_le_bytes)),
        (Some(INT64), None) => Some(tensor.int64_data.clone()),
        (Some(BOOL), Some(raw)) => Some(raw.iter().map(|&bit| i64::from(bit)).collect()),
        (Some(BOOL), None) => Some(tensor.int32_data.iter().copied().map(i64::from).collect()),
        _ => None,
    }
}

/// A constant node of 64-bit integers, `[values]`.
pub(super) fn constant_node(output: &str, values: &[i64]) -> NodeProto {
    let tensor = TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(INT64),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    };
    node("Constant", "", &[], &[output]).with_tensor("value", tensor)
}

/// Elements from their bytes.
pub(super) fn elements<T, const N: usize>(raw: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks().0.iter().copied().map(read).collect()
}
