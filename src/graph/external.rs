//! Weights that are kept in files beside the graph.

use std::collections::BTreeSet;

use super::Graph;
use super::onnx::{GraphProto, TensorProto};

impl Graph {
    /// The files that hold weights of this graph, as it names them: paths
    /// relative to the graph's own folder, sorted.
    pub fn external_files(&self) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        collect(&self.graph, &mut files);
        files
    }
}

fn collect<'a>(graph: &'a GraphProto, files: &mut BTreeSet<&'a str>) {
    files.extend(graph.initializer.iter().filter_map(location));
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        let tensors = attribute.t.iter().chain(&attribute.tensors);
        files.extend(tensors.filter_map(location));
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            collect(graph, files);
        }
    }
}

fn location(tensor: &TensorProto) -> Option<&str> {
    let entry = tensor
        .external_data
        .iter()
        .find(|entry| entry.key.as_deref() == Some("location"))?;
    entry.value.as_deref()
}
