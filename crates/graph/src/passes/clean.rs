//! Removes what exporters leave behind: constants in nodes, values with two
//! names, values that are computed twice.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::{BOOL, FLOAT, NodeProto, TensorProto};
use crate::trace::{Tensor, Trace};

/// Simplifies a graph without control flow so that patterns are easy to find:
/// constants become initializers; nodes that only pass their input on, and
/// nodes that compute the same as another one, are removed.
pub(crate) fn clean(graph: &mut Graph) {
    graph.proto_mut().value_info.clear();
    hoist_constants(graph);
    let aliases = aliases(graph);
    replace_inputs(graph, &aliases);
    merge_equal_nodes(graph);
    graph.remove_dead_nodes();
    graph.remove_unused_initializers();
}

/// Turns `Constant` nodes that hold a tensor into initializers, equal ones into
/// a single one. The model's own initializers are not merged: engines derive
/// further ones from their names.
fn hoist_constants(graph: &mut Graph) {
    let proto = graph.proto_mut();
    let mut hoisted: Vec<TensorProto> = Vec::new();
    let mut by_content: HashMap<Vec<u8>, String> = HashMap::new();
    let mut replaced = HashMap::new();
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
                replaced.insert(output, same.get().clone());
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
    replace_inputs(graph, &replaced);
}

/// Values that equal another one, by their names: outputs of identities, of
/// casts to the type that the input has, and of a `Concat` of one.
fn aliases(graph: &Graph) -> HashMap<String, String> {
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, 2, 7);
    let outputs: HashSet<&str> = graph.outputs().collect();
    let mut names = HashMap::new();
    for node in graph.nodes() {
        let ([input, ..], [output]) = (node.input.as_slice(), node.output.as_slice()) else {
            continue;
        };
        let is_alias = match node.op_type.as_deref() {
            Some("Identity") => true,
            Some("Cast") => trace
                .get(input)
                .is_some_and(|value| has_type(value, node.int("to", 0))),
            Some("Concat") => node.input.len() == 1,
            _ => false,
        };
        if is_alias
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
/// not know how wide the integers are whose elements it computed.
fn has_type(value: &Tensor, dtype: i64) -> bool {
    let found = i64::from(value.dtype());
    found == dtype && (value.is_opaque() || dtype == i64::from(FLOAT) || dtype == i64::from(BOOL))
}

/// Makes nodes that read a key read its value instead.
fn replace_inputs(graph: &mut Graph, replaced: &HashMap<String, String>) {
    for input in graph
        .proto_mut()
        .node
        .iter_mut()
        .flat_map(|node| &mut node.input)
    {
        if let Some(source) = replaced.get(input) {
            input.clone_from(source);
        }
    }
}

/// Keeps the first of all nodes with the same operator, inputs and attributes.
pub(crate) fn merge_equal_nodes(graph: &mut Graph) {
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
