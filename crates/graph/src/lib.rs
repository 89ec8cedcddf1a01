//! Reading, rewriting and writing of ONNX graphs.
//!
//! Each pass is a function over a [`Graph`] that says whether it changed
//! anything. What a pass does not recognise it leaves as it is.

mod clean;
mod error;
mod external;
mod fuse;
mod integer_products;
mod lower;
mod mask_lookup;
mod nan_guard;
mod node;
mod normalization;
pub mod onnx;
pub mod quantize;
mod scan;
#[cfg(test)]
mod testing;
mod trace;
mod value_info;
mod values;
mod vocabulary;
mod work;

use std::collections::{HashMap, HashSet};

use prost::Message;
pub use prost::bytes::Bytes;

pub(crate) use clean::remove_unused_initializers;
pub use error::{Error, Result, Source};
pub use external::{External, Place, WeightsWriter, embed_bytes, place, tensor_bytes};
pub use fuse::{DOMAIN, Fused, fuse};
pub use integer_products::float_integer_products;
pub use lower::{
    KERNEL_NORMALIZATION, L2_NORMALIZE, Layers, Operators, PACKED_EMBEDDING, PACKED_LINEAR,
    for_onnxruntime, pack_embeddings, pack_linears,
};
pub use mask_lookup::replace_mask_lookup;
pub use nan_guard::lift_nan_guards;
pub(crate) use node::node;
pub use normalization::remove_final_normalization;
use onnx::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto};
pub use value_info::drop_value_info;
pub(crate) use values::Values;
pub use vocabulary::vocabulary_size;
pub use work::leaves_work;

/// The domain of the operators that ONNX Runtime adds to the standard ones.
const CONTRIB: &str = "com.microsoft";

/// An ONNX model whose graph can be matched and rewritten.
///
/// Weights are slices of the bytes it was read from, not copies.
#[derive(Clone, Debug)]
pub struct Graph {
    model: ModelProto,
    graph: GraphProto,
}

impl Graph {
    /// Parses a model; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for bytes that are no ONNX model.
    pub fn parse(file: &str, bytes: Bytes) -> Result<Self> {
        let fail = |source| Error::InvalidModel {
            file: file.to_owned(),
            source,
        };
        let mut model = ModelProto::decode(bytes).map_err(|error| fail(error.into()))?;
        let graph = model
            .graph
            .take()
            .ok_or_else(|| fail("expected a graph, found none".into()))?;
        Ok(Self { model, graph })
    }

    /// The model as bytes.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.model.graph = Some(self.graph);
        self.model.encode_to_vec()
    }

    /// Makes a value an output of the graph as well; of which type, an engine
    /// finds out.
    pub fn add_output(&mut self, value: &str) {
        self.graph.output.push(ValueInfoProto {
            name: Some(value.to_owned()),
            ..ValueInfoProto::default()
        });
    }

    /// The nodes, in order of execution.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.graph.node
    }

    /// The weights and other tensors that the model holds by name.
    pub fn initializers(&self) -> &[TensorProto] {
        &self.graph.initializer
    }

    /// The tensor that the model holds by that name.
    pub fn initializer(&self, name: &str) -> Option<&TensorProto> {
        let mut tensors = self.graph.initializer.iter();
        tensors.find(|tensor| tensor.name.as_deref() == Some(name))
    }

    /// Names of the inputs that a caller has to give: those without a value
    /// in the model.
    pub fn free_inputs(&self) -> impl Iterator<Item = &str> {
        let held: HashSet<&str> = self
            .graph
            .initializer
            .iter()
            .filter_map(|tensor| tensor.name.as_deref())
            .collect();
        names(&self.graph.input).filter(move |name| !held.contains(name))
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        names(&self.graph.output)
    }

    /// The version of the standard operators that the model is written for.
    pub fn opset(&self) -> i64 {
        self.model
            .opset_import
            .iter()
            .find(|set| matches!(set.domain.as_deref().unwrap_or_default(), "" | "ai.onnx"))
            .and_then(|set| set.version)
            .unwrap_or(1)
    }

    /// Lets the graph use operators of another domain.
    pub(crate) fn import(&mut self, domain: &str, version: i64) {
        let sets = &mut self.model.opset_import;
        if !sets.iter().any(|set| set.domain.as_deref() == Some(domain)) {
            sets.push(OperatorSetIdProto {
                domain: Some(domain.to_owned()),
                version: Some(version),
            });
        }
    }

    /// The graph, for passes.
    pub fn proto_mut(&mut self) -> &mut GraphProto {
        &mut self.graph
    }

    /// Which node computes each value.
    pub(crate) fn producers(&self) -> HashMap<&str, &NodeProto> {
        self.graph
            .node
            .iter()
            .flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// Drops nodes whose results nobody reads. Graphs with control flow are
    /// left alone: their sub-graphs may read any value.
    pub fn remove_dead_nodes(&mut self) -> bool {
        let nodes = &self.graph.node;
        if nodes.iter().any(has_subgraph) {
            return false;
        }
        let mut alive: HashSet<&str> = self
            .graph
            .output
            .iter()
            .filter_map(|value| value.name.as_deref())
            .collect();
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
        self.graph.node.retain(|_| keep.next().unwrap_or(true));
        self.graph.node.len() != before
    }
}

fn names(values: &[ValueInfoProto]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(|value| value.name.as_deref())
}

pub(crate) fn has_subgraph(node: &NodeProto) -> bool {
    node.attribute
        .iter()
        .any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty())
}
