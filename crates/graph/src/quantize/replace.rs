//! Quantized layers in place of those of floats.

use std::collections::{HashMap, HashSet};

use super::layers::{Layer, LayerKind};
use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::{Graph, drop_value_info, node, remove_unused_initializers};

/// A layer with its weights in 8 bits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizedLayer {
    /// The layer, as it was found in the graph.
    pub layer: Layer,
    /// `[inner, outer]` or `[ids, columns]` of `int8`.
    pub weights: TensorProto,
    /// `[outer]` or `[ids, 1]` of 32-bit floats.
    pub scales: TensorProto,
    /// What columns of the input are multiplied by, `[inner]`, if anything;
    /// the same in all layers that read the same rows.
    pub smoothing: Option<TensorProto>,
}

/// Puts layers in a graph, in place of those that they were made of. The graph
/// is the one that they were found in, as it was.
///
/// Layers that read the same rows share their `DynamicQuantizeLinear`.
pub fn replace(graph: &mut Graph, layers: &[QuantizedLayer]) {
    let mut names = Names::of(graph);
    let mut readers = HashMap::new();
    let mut tensors = Vec::new();
    let mut smoothing = HashMap::new();
    for quantized in layers {
        let layer = &quantized.layer;
        let [weights, scales] =
            ["quantized", "scales"].map(|part| names.unique(&format!("{}_{part}", layer.weights)));
        for (tensor, name) in [(&quantized.weights, &weights), (&quantized.scales, &scales)] {
            tensors.push(TensorProto {
                name: Some(name.clone()),
                ..tensor.clone()
            });
        }
        if let (Some(factors), [rows]) = (&quantized.smoothing, layer.rows.as_slice()) {
            smoothing.entry(rows.as_str()).or_insert_with(|| {
                let name = names.unique(&format!("{rows}_smoothing"));
                tensors.push(TensorProto {
                    name: Some(name.clone()),
                    ..factors.clone()
                });
                name
            });
        }
        for output in &layer.outputs {
            readers.insert(
                output.as_str(),
                (layer.kind, [weights.clone(), scales.clone()]),
            );
        }
    }
    let mut made = Made {
        names,
        nodes: Vec::new(),
        levels: HashMap::new(),
        smoothing,
    };
    let before = held(graph);
    for old in std::mem::take(&mut graph.proto_mut().node) {
        let found = old
            .output
            .first()
            .and_then(|name| readers.get(name.as_str()));
        match found {
            Some((LayerKind::Product, weights)) => made.product(&old, weights),
            Some((LayerKind::Embedding, weights)) => made.lookup(&old, weights),
            None => made.nodes.push(old),
        }
    }
    graph.proto_mut().node = made.nodes;
    graph.proto_mut().initializer.extend(tensors);
    drop_value_info(graph);
    graph.remove_dead_nodes();
    remove_unused_initializers(graph);
    // Old exporters list tensors among the inputs; one without its tensor
    // would have to be given.
    let left = held(graph);
    let is_lost = |name: &String| before.contains(name) && !left.contains(name);
    let inputs = &mut graph.proto_mut().input;
    inputs.retain(|input| !input.name.as_ref().is_some_and(is_lost));
}

fn held(graph: &Graph) -> HashSet<String> {
    let tensors = graph.initializers().iter();
    tensors.filter_map(|tensor| tensor.name.clone()).collect()
}

/// The nodes of the graph in the making.
struct Made<'a> {
    names: Names,
    nodes: Vec<NodeProto>,
    /// Levels, scale and zero point of values that were quantized before.
    levels: HashMap<String, [String; 3]>,
    /// What columns of rows are multiplied by before.
    smoothing: HashMap<&'a str, String>,
}

impl Made<'_> {
    fn add(&mut self, operator: &str, inputs: &[&str], output: &str) -> String {
        let output = self.names.unique(output);
        self.nodes.push(node(operator, "", inputs, &[&output]));
        output
    }

    /// The nodes that an exporter writes for dynamic quantization, which are
    /// what fusion looks for.
    fn product(&mut self, old: &NodeProto, [weights, scales]: &[String; 2]) {
        let operand = |at: usize| old.input.get(at).map_or("", String::as_str);
        let result = old.output.concat();
        let [levels, scale, zero] = self.quantized(operand(0));
        let sums = self.add(
            "MatMulInteger",
            &[&levels, weights, &zero],
            &format!("{result}_integers"),
        );
        let sums = self.cast(&sums, &result);
        let factors = self.add("Mul", &[&scale, scales], &format!("{result}_scales"));
        if operand(2).is_empty() {
            self.finish(old, "Mul", &[&sums, &factors]);
        } else {
            let scaled = self.add("Mul", &[&sums, &factors], &format!("{result}_scaled"));
            self.finish(old, "Add", &[&scaled, operand(2)]);
        }
    }

    fn lookup(&mut self, old: &NodeProto, [weights, scales]: &[String; 2]) {
        let ids = old.input.get(1).map_or("", String::as_str);
        let result = old.output.concat();
        let levels = self.add("Gather", &[weights, ids], &format!("{result}_integers"));
        let levels = self.cast(&levels, &result);
        let factors = self.add("Gather", &[scales, ids], &format!("{result}_scales"));
        self.finish(old, "Mul", &[&levels, &factors]);
    }

    fn quantized(&mut self, rows: &str) -> [String; 3] {
        if let Some(known) = self.levels.get(rows) {
            return known.clone();
        }
        let outputs =
            ["levels", "scale", "zero"].map(|part| self.names.unique(&format!("{rows}_{part}")));
        let smooth = match self.smoothing.get(rows).cloned() {
            Some(factors) => self.add("Mul", &[rows, &factors], &format!("{rows}_smooth")),
            None => rows.to_owned(),
        };
        let names = outputs.each_ref().map(String::as_str);
        self.nodes
            .push(node("DynamicQuantizeLinear", "", &[&smooth], &names));
        self.levels.insert(rows.to_owned(), outputs.clone());
        outputs
    }

    fn cast(&mut self, value: &str, result: &str) -> String {
        let output = self.names.unique(&format!("{result}_floats"));
        let cast = node("Cast", "", &[value], &[&output]);
        self.nodes.push(cast.with_int("to", FLOAT.into()));
        output
    }

    /// The last node of a layer has the name and output of the one before.
    fn finish(&mut self, old: &NodeProto, operator: &str, inputs: &[&str]) {
        let mut last = node(operator, "", inputs, &[]);
        last.output.clone_from(&old.output);
        last.name.clone_from(&old.name);
        self.nodes.push(last);
    }
}

/// All names of a graph.
struct Names(HashSet<String>);

impl Names {
    fn of(graph: &Graph) -> Self {
        let nodes = graph.nodes().iter();
        let values = nodes.flat_map(|node| node.input.iter().chain(&node.output).chain(&node.name));
        let mut names: HashSet<String> = values.cloned().collect();
        names.extend(held(graph));
        names.extend(graph.free_inputs().map(str::to_owned));
        Self(names)
    }

    fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut at = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{wanted}_{at}");
            at += 1;
        }
        name
    }
}
