//! The L2 normalization at the end of an exported encoder.

use std::collections::HashMap;

use super::Graph;
use super::onnx::NodeProto;

/// Makes the graph return its rows before their final L2 normalization.
/// Returns whether there was one.
pub fn remove_final_normalization(graph: &mut Graph) -> bool {
    let Some((output, raw)) = find(graph) else {
        return false;
    };
    for node in &mut graph.graph.node {
        if node.output.first() == Some(&output) {
            node.op_type = Some("Identity".to_owned());
            node.input = vec![raw.clone()];
            node.attribute.clear();
        }
    }
    graph.remove_dead_nodes();
    true
}

/// The name of a normalized output and of the value that is normalized.
fn find(graph: &Graph) -> Option<(String, String)> {
    let producers = graph.producers();
    graph.graph.output.iter().find_map(|value| {
        let output = value.name.as_deref()?;
        let last = producers.get(output)?;
        let raw = last.input.first()?;
        let normalizes = match last.op_type.as_deref()? {
            "LpNormalization" => true,
            "Div" => is_norm_of(&producers, last.input.get(1)?, raw),
            _ => false,
        };
        normalizes.then(|| (output.to_owned(), raw.clone()))
    })
}

/// Whether `value` is the L2 norm of the rows of `raw`, perhaps bounded from
/// below and broadcast.
fn is_norm_of(producers: &HashMap<&str, &NodeProto>, value: &str, raw: &str) -> bool {
    let mut value = value;
    // Each step moves towards the inputs of an acyclic graph; the bound only
    // guards against corrupt ones.
    for _ in 0..16 {
        let Some(node) = producers.get(value) else {
            return false;
        };
        let first = node.input.first().map(String::as_str);
        match (node.op_type.as_deref(), first) {
            (Some("ReduceL2"), first) => return first == Some(raw),
            (Some("Clip" | "Max" | "Add" | "Expand" | "Identity" | "Cast"), Some(first)) => {
                value = first;
            }
            _ => return false,
        }
    }
    false
}
