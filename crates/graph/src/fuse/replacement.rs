//! Fused nodes in place of those that exporters wrote.

use std::collections::{HashMap, HashSet};

use crate::graph::Graph;
use crate::onnx::NodeProto;

/// Nodes that take the place of the one that computes `output`.
pub(super) struct Replacement {
    pub(super) output: String,
    pub(super) nodes: Vec<NodeProto>,
}

/// Inserts nodes; the others that they make superfluous stay for now. Of several
/// replacements for an output, the first is taken: what is left of a layer
/// normalization is an RMS normalization, too.
pub(super) fn apply(graph: &mut Graph, replacements: Vec<Replacement>) {
    let mut taken: HashSet<String> = value_names(graph).map(str::to_owned).collect();
    let mut by_output: HashMap<String, Vec<NodeProto>> = HashMap::new();
    for Replacement { output, mut nodes } in replacements {
        by_output.entry(output.clone()).or_insert_with(|| {
            rename_taken(&mut nodes, &output, &mut taken);
            nodes
        });
    }
    let nodes = std::mem::take(&mut graph.proto_mut().node);
    let replaced = nodes.into_iter().flat_map(|node| {
        let new = node.output.iter().find_map(|name| by_output.remove(name));
        new.unwrap_or_else(|| vec![node])
    });
    graph.proto_mut().node = replaced.collect();
}

fn value_names(graph: &Graph) -> impl Iterator<Item = &str> {
    let outputs = graph.nodes().iter().flat_map(|node| &node.output);
    let tensors = graph.initializers().iter();
    let tensors = tensors.filter_map(|tensor| tensor.name.as_deref());
    outputs.map(String::as_str).chain(tensors)
}

/// Gives values between `nodes` other names where the graph has theirs: it may
/// have been fused before.
fn rename_taken(nodes: &mut [NodeProto], output: &str, taken: &mut HashSet<String>) {
    let mut renamed: HashMap<String, String> = HashMap::new();
    for node in nodes {
        for input in &mut node.input {
            if let Some(name) = renamed.get(input) {
                input.clone_from(name);
            }
        }
        for name in node.output.iter_mut().filter(|name| *name != output) {
            let old = name.clone();
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            if node.name.as_ref() == Some(&old) {
                // ONNX Runtime refuses nodes of the same name.
                node.name = Some(name.clone());
            }
            renamed.insert(old, name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ValueIndex;
    use crate::lower::{Operators, for_onnxruntime};
    use crate::testing::fixture;

    /// Optimized files are fused again when they are loaded.
    #[test]
    fn fused_graphs_are_fused_again() {
        for file in [
            "tests/fixtures/tiny-bert/model.onnx",
            "tests/fixtures/tiny-bert/model_int8.onnx",
            "tests/fixtures/tiny-modernbert/model.onnx",
            "tests/fixtures/families/script-17/qwen3-sdpa.onnx",
        ] {
            let mut graph = fixture(file);
            let first = crate::fuse(&mut graph);
            for_onnxruntime(&mut graph, Operators::Contrib);
            let again = crate::fuse(&mut graph);
            assert_eq!(again.linears, first.linears, "{file}");
            let mut names = HashSet::new();
            let outputs = graph.nodes().iter().flat_map(|node| &node.output);
            for name in outputs.filter(|name| !name.is_empty()) {
                assert!(names.insert(name), "{file}: {name} is computed twice");
            }
            let mut names = HashSet::new();
            for name in graph.nodes().iter().filter_map(|node| node.name.as_ref()) {
                assert!(
                    name.is_empty() || names.insert(name),
                    "{file}: two nodes are named {name}"
                );
            }
            let index = ValueIndex::new(&graph);
            let inputs = graph.nodes().iter().flat_map(|node| &node.input);
            for name in inputs.filter(|name| !name.is_empty()) {
                let is_given = graph.free_inputs().any(|input| input == name);
                assert!(
                    is_given || graph.initializer(name).is_some() || index.producer(name).is_some(),
                    "{file}: nothing computes {name}"
                );
            }
        }
    }
}
