//! What exporters leave behind: constants in nodes, values under two names,
//! the same computed twice.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use prost::Message;

use super::Graph;
use super::onnx::{BOOL, FLOAT, NodeProto, TensorProto};
use super::trace::{Tensor, Trace};

/// Brings a graph to a form in which patterns are easy to find, with the same
/// result: constants become initializers, nodes that pass their input on go,
/// and so do nodes that compute what another one does. For graphs without
/// control flow.
pub(super) fn clean(graph: &mut Graph) {
    graph.proto_mut().value_info.clear();
    hoist_constants(graph);
    let idle = idle_nodes(graph);
    bypass(graph, &idle);
    merge_equal_nodes(graph);
    graph.remove_dead_nodes();
    remove_unused_initializers(graph);
}

/// Makes initializers of `Constant` nodes that hold a tensor, one of those
/// that hold the same. The model's own initializers are left alone: engines
/// derive further ones from them, by name.
fn hoist_constants(graph: &mut Graph) {
    let proto = graph.proto_mut();
    let mut hoisted: Vec<TensorProto> = Vec::new();
    let mut by_content: HashMap<Vec<u8>, String> = HashMap::new();
    let mut names = HashMap::new();
    proto.node.retain_mut(|node| {
        let [output] = node.output.as_slice() else {
            return true;
        };
        let output = output.clone();
        if !node.is("Constant") {
            return true;
        }
        let tensor = node
            .attribute
            .iter_mut()
            .find(|attribute| attribute.name.as_deref() == Some("value"))
            .and_then(|attribute| attribute.t.take());
        let Some(mut tensor) = tensor else {
            return true;
        };
        tensor.name = None;
        match by_content.entry(tensor.encode_to_vec()) {
            Entry::Occupied(same) => {
                names.insert(output, same.get().clone());
            }
            Entry::Vacant(entry) => {
                entry.insert(output.clone());
                tensor.name = Some(output);
                hoisted.push(tensor);
            }
        }
        false
    });
    proto.initializer.extend(hoisted);
    bypass(graph, &names);
}

/// Names of values that are another value: identities, casts to the type that
/// there is, joins of one.
fn idle_nodes(graph: &Graph) -> HashMap<String, String> {
    let trace = Trace::unpadded(graph, 2, 7);
    let outputs: HashSet<&str> = graph.outputs().collect();
    let mut names = HashMap::new();
    for node in graph.nodes() {
        let ([input, ..], [output]) = (node.input.as_slice(), node.output.as_slice()) else {
            continue;
        };
        let is_idle = match node.op_type.as_deref() {
            Some("Identity") => true,
            Some("Cast") => trace
                .get(input)
                .is_some_and(|value| has_type(value, node.int("to", 0))),
            Some("Concat") => node.input.len() == 1,
            _ => false,
        };
        if is_idle
            && !outputs.contains(output.as_str())
            && node.domain.as_deref().unwrap_or_default().is_empty()
        {
            let source = names.get(input).unwrap_or(input);
            names.insert(output.clone(), source.clone());
        }
    }
    names
}

/// Whether a value is certainly of this `TensorProto.DataType`. A trace does
/// not tell the widths of integers that it knows.
fn has_type(value: &Tensor, dtype: i64) -> bool {
    let found = i64::from(value.dtype());
    found == dtype && (value.is_opaque() || dtype == i64::from(FLOAT) || dtype == i64::from(BOOL))
}

/// Lets readers of the keys read the values instead.
fn bypass(graph: &mut Graph, names: &HashMap<String, String>) {
    for input in graph
        .proto_mut()
        .node
        .iter_mut()
        .flat_map(|node| &mut node.input)
    {
        if let Some(source) = names.get(input) {
            input.clone_from(source);
        }
    }
}

/// Keeps one of the nodes that have the same operator, inputs and attributes.
fn merge_equal_nodes(graph: &mut Graph) {
    let outputs: HashSet<String> = graph.outputs().map(str::to_owned).collect();
    let mut names: HashMap<String, String> = HashMap::new();
    let mut nodes: HashMap<Vec<u8>, Vec<String>> = HashMap::new();
    for node in &mut graph.proto_mut().node {
        for input in &mut node.input {
            if let Some(source) = names.get(input) {
                input.clone_from(source);
            }
        }
        if is_random(node) || node.output.iter().any(|name| outputs.contains(name)) {
            continue;
        }
        let key = NodeProto {
            output: Vec::new(),
            name: None,
            doc_string: None,
            metadata_props: Vec::new(),
            ..node.clone()
        };
        let key = [
            key.encode_to_vec(),
            node.output.len().to_le_bytes().to_vec(),
        ]
        .concat();
        match nodes.get(&key) {
            Some(first) => names.extend(node.output.iter().cloned().zip(first.iter().cloned())),
            None => {
                nodes.insert(key, node.output.clone());
            }
        }
    }
}

fn is_random(node: &NodeProto) -> bool {
    node.op_type.as_deref().is_some_and(|name| {
        name.starts_with("Random") || matches!(name, "Bernoulli" | "Multinomial" | "Dropout")
    })
}

/// Drops tensors that no node reads.
pub(crate) fn remove_unused_initializers(graph: &mut Graph) {
    let read: HashSet<String> = graph
        .nodes()
        .iter()
        .flat_map(|node| node.input.iter().cloned())
        .chain(graph.outputs().map(str::to_owned))
        .collect();
    graph
        .proto_mut()
        .initializer
        .retain(|tensor| tensor.name.as_ref().is_some_and(|name| read.contains(name)));
}
