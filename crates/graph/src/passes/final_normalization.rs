//! The L2 normalization at the end of an exported encoder.

use crate::graph::Graph;
use crate::index::ValueIndex;

/// Makes the graph return its rows before their final L2 normalization.
pub fn remove_final_normalization(graph: &mut Graph) -> bool {
    let Some(Normalized { output, raw }) = find(graph) else {
        return false;
    };
    for node in &mut graph.proto_mut().node {
        if node.output.first() == Some(&output) {
            node.op_type = Some("Identity".to_owned());
            node.input = vec![raw.clone()];
            node.attribute.clear();
        }
    }
    graph.remove_dead_nodes();
    true
}

/// A normalized output, and the value before.
struct Normalized {
    output: String,
    raw: String,
}

fn find(graph: &Graph) -> Option<Normalized> {
    let index = ValueIndex::new(graph);
    graph.outputs().find_map(|output| {
        let last = index.producer(output)?;
        let raw = last.input.first()?;
        let normalizes = match last.op_type.as_deref()? {
            "LpNormalization" => true,
            "Div" => is_norm_of(&index, last.input.get(1)?, raw),
            _ => false,
        };
        normalizes.then(|| Normalized {
            output: output.to_owned(),
            raw: raw.clone(),
        })
    })
}

/// Whether `value` is the L2 norm of the rows of `raw`, perhaps bounded from
/// below and broadcast.
fn is_norm_of(index: &ValueIndex<'_>, value: &str, raw: &str) -> bool {
    let mut value = value;
    // The graph is acyclic; the bound guards against corrupt ones.
    for _ in 0..16 {
        let Some(node) = index.producer(value) else {
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
