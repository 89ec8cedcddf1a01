//! Encoder operators in place of the many nodes that exporters write for
//! them. A part of a graph is recognised by what it computes: a trace says
//! which shapes and numbers there are, and the candidate is compared with the
//! operator it stands for.

mod attention;
mod gelu;
mod layer_norm;
mod linear;
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
    /// Linear layers, with bias, activation and residual.
    pub linears: usize,
    /// Of these, those with 8-bit weights and dynamically quantized rows.
    pub quantized: usize,
    /// Of these, those with a gate.
    pub gated: usize,
    /// Nodes before.
    pub nodes_before: usize,
    /// Nodes after.
    pub nodes_after: usize,
}

impl Fused {
    /// All numbers, in the order of the fields.
    pub fn counts(&self) -> [usize; 10] {
        [
            self.attentions,
            self.rotary,
            self.windowed,
            self.layer_norms,
            self.gelus,
            self.linears,
            self.quantized,
            self.gated,
            self.nodes_before,
            self.nodes_after,
        ]
    }

    /// The opposite of [`counts`](Self::counts).
    pub fn from_counts(counts: [usize; 10]) -> Self {
        let [
            attentions,
            rotary,
            windowed,
            layer_norms,
            gelus,
            linears,
            quantized,
            gated,
            nodes_before,
            nodes_after,
        ] = counts;
        Self {
            attentions,
            rotary,
            windowed,
            layer_norms,
            gelus,
            linears,
            quantized,
            gated,
            nodes_before,
            nodes_after,
        }
    }

    /// Whether nothing was recognised that an engine would not run as well
    /// from standard operators: products of floats at the most.
    pub fn is_plain(&self) -> bool {
        self.attentions + self.layer_norms + self.gelus + self.quantized == 0
    }

    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        self.attentions + self.layer_norms + self.gelus + self.linears == 0
    }
}

impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attentions ({} rotary, {} windowed), {} layer normalizations, {} GELUs, \
             {} linear layers ({} quantized, {} gated); {} nodes, {} before",
            self.attentions,
            self.rotary,
            self.windowed,
            self.layer_norms,
            self.gelus,
            self.linears,
            self.quantized,
            self.gated,
            self.nodes_after,
            self.nodes_before
        )
    }
}

/// Cleans a graph and puts encoder operators in it: standard
/// `LayerNormalization`, and `Attention`, `Gelu` and `Linear` of [`DOMAIN`]. What is not
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
        all.extend(nodes().filter_map(gelu::rename));
        all
    };
    apply(graph, replacements);
    graph.remove_dead_nodes();
    // What follows a linear layer is easier to see now.
    let layers: Vec<Replacement> = {
        let links = Links::new(graph);
        let trace = Trace::unpadded(graph, BATCH, LENGTH);
        let nodes = graph.nodes().iter();
        nodes
            .filter_map(|node| linear::find(graph, &links, &trace, node))
            .collect()
    };
    fused.linears = layers.len();
    let made = || layers.iter().flat_map(|layer| &layer.nodes);
    fused.quantized = made().filter(|node| linear::is_quantized(node)).count();
    fused.gated = made().filter(|node| linear::is_gated(node)).count();
    apply(graph, layers);
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

    fn node(&self, at: usize) -> Option<&'g NodeProto> {
        self.nodes.get(at)
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
        for (file, expected) in [
            (
                "tests/fixtures/tiny-bert/model.onnx",
                [2, 0, 0, 5, 2, 13, 0, 0],
            ),
            (
                "tests/fixtures/tiny-bert/model_int8.onnx",
                [2, 0, 0, 5, 2, 13, 13, 0],
            ),
            (
                "tests/fixtures/tiny-modernbert/model.onnx",
                [4, 4, 2, 9, 4, 17, 0, 4],
            ),
            (
                "tests/fixtures/tiny-modernbert/model_int8.onnx",
                [4, 4, 2, 9, 4, 17, 17, 4],
            ),
            (
                "models/minilm-colbert/model_int8.onnx",
                [6, 0, 0, 13, 6, 37, 36, 0],
            ),
        ] {
            let root = env!("CARGO_MANIFEST_DIR");
            let bytes = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
            let mut graph = Graph::parse(file, bytes.into()).expect("the fixture is a graph");
            let fused = fuse(&mut graph);
            eprintln!("{file}: {fused}");
            let found = &fused.counts()[..8];
            assert_eq!(fused, Fused::from_counts(fused.counts()));
            assert_eq!(found, expected, "{file}");
        }
    }
}
