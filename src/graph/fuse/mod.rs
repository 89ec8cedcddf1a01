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

use super::onnx::NodeProto;
use super::trace::Trace;
use super::{Graph, clean, has_subgraph};
use mask::Probes;

/// The domain of the operators that this project defines.
pub const DOMAIN: &str = "ai.multivec";

/// The shape that graphs are traced with.
const BATCH: usize = 2;
const LENGTH: usize = 5;

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
    let replacements = {
        let links = Links::new(graph);
        let trace = Trace::unpadded(graph, BATCH, LENGTH);
        let probes = Probes::new(graph);
        let nodes = || graph.nodes().iter();
        let mut all: Vec<Replacement> = nodes()
            .filter_map(|node| attention::find(graph.opset(), &links, &trace, &probes, node))
            .collect();
        fused.attentions = all.len();
        let made = || all.iter().flat_map(|replacement| &replacement.nodes);
        fused.rotary = made().filter(|node| attention::is_rotary(node)).count();
        fused.windowed = made().filter(|node| attention::is_windowed(node)).count();
        all.extend(nodes().filter_map(|node| layer_norm::find(&links, &trace, node)));
        fused.layer_norms = all.len() - fused.attentions;
        all.extend(nodes().filter_map(|node| gelu::find(&links, &trace, node)));
        fused.gelus = all.len() - fused.attentions - fused.layer_norms;
        all
    };
    apply(graph, replacements);
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

fn apply(graph: &mut Graph, replacements: Vec<Replacement>) {
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
