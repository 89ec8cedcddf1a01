//! Encoder operators in place of the many nodes that exporters write for
//! them. A part of a graph is recognised by what it computes: a trace says
//! which shapes and numbers there are, and the candidate is compared with the
//! operator it stands for.

mod attention;
mod gelu;
mod layer_norm;
mod mask;
mod projection;

use std::collections::HashMap;
use std::fmt;

use super::onnx::{AttributeProto, NodeProto};
use super::{Graph, clean, has_subgraph};

/// The domain of the operators that this project defines.
pub const DOMAIN: &str = "ai.multivec";

/// How many of each operator were recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fused {
    /// Attention over all heads, with scale, mask, window and rotary embedding.
    pub attentions: usize,
    /// Of these, those with rotary embedding.
    pub rotary: usize,
    /// Of these, those with a sliding window.
    pub windowed: usize,
    /// Layer normalizations.
    pub layer_norms: usize,
    /// Gaussian error linear units, by erf or tanh.
    pub gelus: usize,
    /// Nodes before.
    pub nodes_before: usize,
    /// Nodes after.
    pub nodes_after: usize,
}

impl Fused {
    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        self.attentions + self.layer_norms + self.gelus == 0
    }
}

impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attentions ({} rotary, {} windowed), {} layer normalizations, {} GELUs; {} nodes, {} before",
            self.attentions,
            self.rotary,
            self.windowed,
            self.layer_norms,
            self.gelus,
            self.nodes_after,
            self.nodes_before
        )
    }
}

/// Cleans a graph and puts encoder operators in it: standard
/// `LayerNormalization`, and `Gelu` and `Attention` of [`DOMAIN`]. What is not
/// recognised stays as it was.
pub fn fuse(graph: &mut Graph) -> Fused {
    let mut fused = Fused {
        nodes_before: graph.nodes().len(),
        nodes_after: graph.nodes().len(),
        ..Fused::default()
    };
    if graph.nodes().iter().any(has_subgraph) {
        return fused;
    }
    clean::clean(graph);
    attention::fuse(graph, &mut fused);
    fused.layer_norms = layer_norm::fuse(graph);
    fused.gelus = gelu::fuse(graph);
    graph.remove_dead_nodes();
    clean::remove_unused_initializers(graph);
    fused.nodes_after = graph.nodes().len();
    fused
}

/// Who computes and who reads each value, by position of the node.
struct Links<'g> {
    nodes: &'g [NodeProto],
    producers: HashMap<&'g str, usize>,
    readers: HashMap<&'g str, Vec<usize>>,
}

impl<'g> Links<'g> {
    fn new(graph: &'g Graph) -> Self {
        let nodes = graph.nodes();
        let mut producers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                producers.insert(name.as_str(), at);
            }
            for name in node.input.iter().filter(|name| !name.is_empty()) {
                readers.entry(name).or_default().push(at);
            }
        }
        // A graph's output is read by its caller.
        for name in graph.outputs() {
            readers.entry(name).or_default().push(usize::MAX);
        }
        Self {
            nodes,
            producers,
            readers,
        }
    }

    fn producer(&self, name: &str) -> Option<&'g NodeProto> {
        self.producers.get(name).map(|&at| &self.nodes[at])
    }

    /// Positions of the nodes that read a value, each as often as it does.
    fn readers(&self, name: &str) -> &[usize] {
        self.readers.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one node that reads a value for more than its shape.
    fn data_reader(&self, name: &str) -> Option<&'g NodeProto> {
        let mut found = None;
        for &at in self.readers(name) {
            // A graph's output has a reader, but no node.
            let node = self.nodes.get(at)?;
            if !node.is("Shape") && !node.is("Size") && found.replace(node).is_some() {
                return None;
            }
        }
        found
    }

    /// The one node that reads a value, once.
    fn reader(&self, name: &str) -> Option<&'g NodeProto> {
        match self.readers(name) {
            &[at] => self.nodes.get(at),
            _ => None,
        }
    }
}

/// New nodes for the one that computes `output`, which they compute now.
struct Replacement {
    output: String,
    nodes: Vec<NodeProto>,
}

/// Applies replacements; returns how many there were.
fn apply(graph: &mut Graph, replacements: Vec<Replacement>) -> usize {
    let count = replacements.len();
    let mut by_output: HashMap<String, Vec<NodeProto>> = replacements
        .into_iter()
        .map(|replacement| (replacement.output, replacement.nodes))
        .collect();
    let nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in nodes {
        let new = node.output.iter().find_map(|name| by_output.remove(name));
        graph
            .proto_mut()
            .node
            .extend(new.unwrap_or_else(|| vec![node]));
    }
    graph.remove_dead_nodes();
    count
}

/// A node; its first output is its name.
pub(in crate::graph) fn node(
    operator: &str,
    domain: &str,
    inputs: &[&str],
    outputs: &[&str],
) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: outputs.first().map(|&name| name.to_owned()),
        op_type: Some(operator.to_owned()),
        domain: (!domain.is_empty()).then(|| domain.to_owned()),
        ..NodeProto::default()
    }
}

impl NodeProto {
    pub(in crate::graph) fn with_int(mut self, name: &str, value: i64) -> Self {
        self.attribute.push(AttributeProto {
            name: Some(name.to_owned()),
            i: Some(value),
            // `AttributeProto.AttributeType.INT`
            r#type: Some(2),
            ..AttributeProto::default()
        });
        self
    }

    pub(in crate::graph) fn with_float(mut self, name: &str, value: f32) -> Self {
        self.attribute.push(AttributeProto {
            name: Some(name.to_owned()),
            f: Some(value),
            // `AttributeProto.AttributeType.FLOAT`
            r#type: Some(1),
            ..AttributeProto::default()
        });
        self
    }

    pub(in crate::graph) fn with_ints(mut self, name: &str, values: &[i64]) -> Self {
        self.attribute.push(AttributeProto {
            name: Some(name.to_owned()),
            ints: values.to_vec(),
            // `AttributeProto.AttributeType.INTS`
            r#type: Some(7),
            ..AttributeProto::default()
        });
        self
    }

    pub(in crate::graph) fn with_text(mut self, name: &str, value: &str) -> Self {
        self.attribute.push(AttributeProto {
            name: Some(name.to_owned()),
            s: Some(value.as_bytes().to_vec().into()),
            // `AttributeProto.AttributeType.STRING`
            r#type: Some(3),
            ..AttributeProto::default()
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_encoders_are_recognised() {
        for (file, layers, rotary, windowed, norms, gelus) in [
            ("tests/fixtures/tiny-bert/model.onnx", 2, 0, 0, 5, 2),
            ("tests/fixtures/tiny-bert/model_int8.onnx", 2, 0, 0, 5, 2),
            ("tests/fixtures/tiny-modernbert/model.onnx", 4, 4, 2, 9, 4),
            (
                "tests/fixtures/tiny-modernbert/model_int8.onnx",
                4,
                4,
                2,
                9,
                4,
            ),
            ("models/minilm-colbert/model_int8.onnx", 6, 0, 0, 13, 6),
        ] {
            let root = env!("CARGO_MANIFEST_DIR");
            let bytes = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
            let mut graph = Graph::parse(file, bytes.into()).expect("the fixture is a graph");
            let fused = fuse(&mut graph);
            eprintln!("{file}: {fused}");
            let expected = (layers, rotary, windowed, norms, gelus);
            let found = (
                fused.attentions,
                fused.rotary,
                fused.windowed,
                fused.layer_norms,
                fused.gelus,
            );
            assert_eq!(found, expected, "{file}");
        }
    }
}
