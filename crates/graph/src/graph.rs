//! An ONNX model whose graph can be matched and rewritten.

use std::collections::HashSet;

use prost::Message;
use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::onnx::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};

/// An ONNX model whose graph can be matched and rewritten.
///
/// Weights are slices of the bytes that it was read from, not copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// All but the graph.
    model: ModelProto,
    proto: GraphProto,
}

impl Graph {
    /// Parses a model; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the bytes are not an ONNX model.
    pub fn parse(file: &str, bytes: Bytes) -> Result<Self> {
        let mut model = ModelProto::decode(bytes).map_err(|error| Error::invalid(file, error))?;
        let proto = model
            .graph
            .take()
            .ok_or_else(|| Error::invalid(file, "expected a graph, found none"))?;
        Ok(Self { model, proto })
    }

    /// Joins a model without a graph and its graph.
    pub(crate) fn from_parts(model: ModelProto, proto: GraphProto) -> Self {
        Self { model, proto }
    }

    /// Encodes the model as the content of an ONNX file.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.model.graph = Some(self.proto);
        self.model.encode_to_vec()
    }

    /// Makes a value an output of the graph as well. Its type is left to the
    /// engine to infer.
    pub fn add_output(&mut self, value: &str) {
        self.proto.output.push(ValueInfoProto {
            name: Some(value.to_owned()),
            ..ValueInfoProto::default()
        });
    }

    /// The nodes, in order of execution.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.proto.node
    }

    /// The weights and other named tensors of the model.
    pub fn initializers(&self) -> &[TensorProto] {
        &self.proto.initializer
    }

    /// The initializer of that name.
    pub fn initializer(&self, name: &str) -> Option<&TensorProto> {
        let mut tensors = self.proto.initializer.iter();
        tensors.find(|tensor| tensor.name.as_deref() == Some(name))
    }

    /// Names of the inputs that a caller has to provide: those that are not
    /// initializers.
    pub fn free_inputs(&self) -> impl Iterator<Item = &str> {
        let initializers: HashSet<&str> = self
            .proto
            .initializer
            .iter()
            .filter_map(|tensor| tensor.name.as_deref())
            .collect();
        names(&self.proto.input).filter(move |name| !initializers.contains(name))
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        names(&self.proto.output)
    }

    /// The version of the standard operators that the model was written for.
    pub fn opset(&self) -> i64 {
        self.model
            .opset_import
            .iter()
            .find(|set| matches!(set.domain.as_deref().unwrap_or_default(), "" | "ai.onnx"))
            .and_then(|set| set.version)
            .unwrap_or(1)
    }

    /// Declares that the graph uses operators of another domain.
    pub(crate) fn import(&mut self, domain: &str, version: i64) {
        let sets = &mut self.model.opset_import;
        if !sets.iter().any(|set| set.domain.as_deref() == Some(domain)) {
            sets.push(OperatorSetIdProto {
                domain: Some(domain.to_owned()),
                version: Some(version),
            });
        }
    }

    pub(crate) fn proto(&self) -> &GraphProto {
        &self.proto
    }

    /// The message, to be edited.
    pub fn proto_mut(&mut self) -> &mut GraphProto {
        &mut self.proto
    }

    /// Whether any node has control flow. Its sub-graphs may read any value of
    /// this graph, so that rewrites are not safe.
    pub(crate) fn has_control_flow(&self) -> bool {
        self.proto.node.iter().any(NodeProto::has_subgraph)
    }

    /// Removes nodes whose outputs are not read; returns whether there were
    /// any. Graphs with control flow are left alone.
    pub fn remove_dead_nodes(&mut self) -> bool {
        if self.has_control_flow() {
            return false;
        }
        let nodes = &self.proto.node;
        let mut alive: HashSet<&str> = names(&self.proto.output).collect();
        // Nodes are sorted, so that one walk from the end sees readers first.
        let mut keep = vec![false; nodes.len()];
        for (node, keep) in nodes.iter().zip(&mut keep).rev() {
            if node.output.iter().any(|name| alive.contains(name.as_str())) {
                alive.extend(node.input.iter().map(String::as_str));
                *keep = true;
            }
        }
        let before = nodes.len();
        let mut keep = keep.into_iter();
        self.proto.node.retain(|_| keep.next().unwrap_or(true));
        self.proto.node.len() != before
    }

    /// Removes initializers that nothing reads.
    pub(crate) fn remove_unused_initializers(&mut self) {
        let inputs = self.proto.node.iter().flat_map(|node| &node.input);
        let read: HashSet<&str> = inputs
            .map(String::as_str)
            .chain(names(&self.proto.output))
            .collect();
        self.proto.initializer.retain(|tensor| {
            let name = tensor.name.as_deref();
            name.is_some_and(|name| read.contains(name))
        });
    }
}

fn names(values: &[ValueInfoProto]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(|value| value.name.as_deref())
}
