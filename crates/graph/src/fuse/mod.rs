//! Encoder operators in place of the many nodes that exporters write for
//! them. A part of a graph is recognised by what it computes: a trace says
//! which shapes and numbers there are, and the candidate is compared with the
//! operator it stands for.

mod attention;
mod counts;
mod embedding;
mod gelu;
mod l2_norm;
mod layer_norm;
mod linear;
mod mask;
mod projection;
mod rows;

use std::collections::HashMap;

use super::onnx::{NodeProto, TensorProto};
use super::trace::Trace;
use super::{Graph, clean, has_subgraph};
pub use counts::Fused;
pub(super) use linear::is_quantized;
use mask::Probes;

/// The domain of the operators that this project defines.
pub const DOMAIN: &str = "ai.multivec";

/// The shape that graphs are traced with.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// Cleans a graph and puts encoder operators in it: standard
/// `LayerNormalization`, and `Attention`, `Embedding`, `Gelu`, `Linear` and
/// `L2Normalize` of [`DOMAIN`]. What is not recognised stays as it was.
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
        let mut count = all.len();
        fused.attentions = count;
        let made = || all.iter().flat_map(|replacement| &replacement.nodes);
        fused.rotary = made().filter(|node| attention::is_rotary(node)).count();
        fused.windowed = made().filter(|node| attention::is_windowed(node)).count();
        let mut since_then = |all: &[Replacement]| {
            let before = std::mem::replace(&mut count, all.len());
            all.len() - before
        };
        all.extend(nodes().filter_map(|node| layer_norm::find(&links, &trace, node)));
        fused.layer_normalizations = since_then(&all);
        all.extend(nodes().filter_map(|node| gelu::find(&links, &trace, node)));
        fused.gelus = since_then(&all);
        all.extend(nodes().filter_map(|node| l2_norm::find(&links, &trace, node)));
        fused.l2_normalizations = since_then(&all);
        all.extend(nodes().filter_map(|node| embedding::find(graph, &links, &trace, node)));
        all.extend(nodes().filter_map(gelu::rename));
        all
    };
    apply(graph, replacements);
    graph.remove_dead_nodes();
    // Lookups of scales are gone.
    let count = |is: fn(&NodeProto) -> bool| graph.nodes().iter().filter(|node| is(node)).count();
    fused.embeddings = count(embedding::is_embedding);
    fused.quantized_embeddings = count(embedding::is_quantized);
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
    attention::mark_quantized(graph);
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

/// A tensor of the model itself.
fn constant<'g>(graph: &'g Graph, links: &Links<'g>, name: &str) -> Option<&'g TensorProto> {
    let tensor = graph.initializer(name)?;
    links.producer(name).is_none().then_some(tensor)
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
                [2, 0, 0, 5, 2, 13, 0, 0, 3, 0, 1],
            ),
            (
                "tests/fixtures/tiny-bert/model_int8.onnx",
                [2, 0, 0, 5, 2, 13, 13, 0, 3, 3, 1],
            ),
            (
                "tests/fixtures/tiny-modernbert/model.onnx",
                [4, 4, 2, 9, 4, 17, 0, 4, 1, 0, 1],
            ),
            (
                "tests/fixtures/tiny-modernbert/model_int8.onnx",
                [4, 4, 2, 9, 4, 17, 17, 4, 1, 1, 1],
            ),
            (
                "models/minilm-colbert/model_int8.onnx",
                [6, 0, 0, 13, 6, 37, 37, 0, 3, 1, 1],
            ),
        ] {
            let root = env!("CARGO_MANIFEST_DIR");
            let bytes = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
            let mut graph = Graph::parse(file, bytes.into()).expect("the fixture is a graph");
            let fused = fuse(&mut graph);
            eprintln!("{file}: {fused}");
            let found = &fused.counts()[..11];
            assert_eq!(fused, Fused::from_counts(fused.counts()));
            assert_eq!(found, expected, "{file}");
        }
    }
}
