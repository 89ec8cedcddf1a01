//! Quantized layers in place of layers of floats.

use std::collections::{HashMap, HashSet};

use super::layers::{Layer, LayerKind};
use crate::graph::Graph;
use crate::node::node;
use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::passes::drop_value_info;

/// A layer with 8-bit weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizedLayer {
    /// The layer, as it was found in the graph.
    pub layer: Layer,
    /// `[inner, outer]` or `[ids, columns]` of `int8`.
    pub weights: TensorProto,
    /// `[outer]` or `[ids, 1]` of 32-bit floats.
    pub scales: TensorProto,
    /// Factors of the columns of the input, `[inner]`; the same in all layers
    /// that read the same rows.
    pub smoothing: Option<TensorProto>,
}

/// Replaces layers of a graph by quantized ones. The graph has to be unchanged
/// since [`layers`](super::layers()) found them.
///
/// Layers that read the same rows share a `DynamicQuantizeLinear`.
pub fn replace(graph: &mut Graph, layers: &[QuantizedLayer]) {
    let mut writer = Writer::new(graph);
    let mut replaced = HashMap::new();
    for quantized in layers {
        let tensors = writer.add_tensors(quantized);
        let kind = quantized.layer.kind;
        for output in &quantized.layer.outputs {
            replaced.insert(output.as_str(), (kind, tensors.clone()));
        }
    }
    let before = initializer_names(graph);
    for old in std::mem::take(&mut graph.proto_mut().node) {
        let output = old.output.first().map_or("", String::as_str);
        match replaced.get(output) {
            Some((LayerKind::Product, tensors)) => writer.product(&old, tensors),
            Some((LayerKind::Embedding, tensors)) => writer.lookup(&old, tensors),
            None => writer.nodes.push(old),
        }
    }
    graph.proto_mut().node = writer.nodes;
    graph.proto_mut().initializer.extend(writer.tensors);
    drop_value_info(graph);
    graph.remove_dead_nodes();
    graph.remove_unused_initializers();
    // Old exporters list initializers among the inputs. Without its initializer
    // such an input would have to be provided.
    let after = initializer_names(graph);
    let is_removed = |name: &String| before.contains(name) && !after.contains(name);
    let inputs = &mut graph.proto_mut().input;
    inputs.retain(|input| !input.name.as_ref().is_some_and(is_removed));
}

fn initializer_names(graph: &Graph) -> HashSet<String> {
    let tensors = graph.initializers().iter();
    tensors.filter_map(|tensor| tensor.name.clone()).collect()
}

/// The new nodes and tensors of a graph.
struct Writer {
    names: Names,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    /// Rows that were quantized, by the name of the original value.
    quantized: HashMap<String, QuantizedRows>,
    /// The names of smoothing factors, by that of the rows.
    smoothing: HashMap<String, String>,
}

/// The names of a layer's tensors.
#[derive(Clone)]
struct Tensors {
    weights: String,
    scales: String,
}

/// The outputs of a `DynamicQuantizeLinear`.
#[derive(Clone)]
struct QuantizedRows {
    values: String,
    scale: String,
    zero_point: String,
}

impl Writer {
    fn new(graph: &Graph) -> Self {
        Self {
            names: Names::of(graph),
            nodes: Vec::new(),
            tensors: Vec::new(),
            quantized: HashMap::new(),
            smoothing: HashMap::new(),
        }
    }

    fn add_tensors(&mut self, quantized: &QuantizedLayer) -> Tensors {
        let layer = &quantized.layer;
        let weights = format!("{}_quantized", layer.weights);
        let scales = format!("{}_scales", layer.weights);
        let tensors = Tensors {
            weights: self.add_tensor(&quantized.weights, &weights),
            scales: self.add_tensor(&quantized.scales, &scales),
        };
        if let (Some(factors), [rows]) = (&quantized.smoothing, layer.rows.as_slice())
            && !self.smoothing.contains_key(rows)
        {
            let name = self.add_tensor(factors, &format!("{rows}_smoothing"));
            self.smoothing.insert(rows.clone(), name);
        }
        tensors
    }

    /// Adds a tensor under a name close to `wanted`, which it returns.
    fn add_tensor(&mut self, tensor: &TensorProto, wanted: &str) -> String {
        let name = self.names.unique(wanted);
        self.tensors.push(TensorProto {
            name: Some(name.clone()),
            ..tensor.clone()
        });
        name
    }

    /// Adds a node whose output has a name close to `wanted`, which it returns.
    fn add(&mut self, operator: &str, inputs: &[&str], wanted: &str) -> String {
        let output = self.names.unique(wanted);
        self.nodes.push(node(operator, "", inputs, &[&output]));
        output
    }

    /// Writes the nodes that exporters write for dynamic quantization, and that
    /// [`fuse`](crate::fuse()) recognises.
    fn product(&mut self, old: &NodeProto, tensors: &Tensors) {
        let input = |at: usize| old.input.get(at).map_or("", String::as_str);
        let result = old.output.concat();
        let rows = self.quantized_rows(input(0));
        let sums = self.add(
            "MatMulInteger",
            &[&rows.values, &tensors.weights, &rows.zero_point],
            &format!("{result}_integers"),
        );
        let sums = self.cast_to_floats(&sums, &result);
        let scales = [rows.scale.as_str(), &tensors.scales];
        let factors = self.add("Mul", &scales, &format!("{result}_scales"));
        if input(2).is_empty() {
            self.finish(old, "Mul", &[&sums, &factors]);
        } else {
            let scaled = self.add("Mul", &[&sums, &factors], &format!("{result}_scaled"));
            self.finish(old, "Add", &[&scaled, input(2)]);
        }
    }

    fn lookup(&mut self, old: &NodeProto, tensors: &Tensors) {
        let ids = old.input.get(1).map_or("", String::as_str);
        let result = old.output.concat();
        let values = [tensors.weights.as_str(), ids];
        let values = self.add("Gather", &values, &format!("{result}_integers"));
        let values = self.cast_to_floats(&values, &result);
        let scales = [tensors.scales.as_str(), ids];
        let scales = self.add("Gather", &scales, &format!("{result}_scales"));
        self.finish(old, "Mul", &[&values, &scales]);
    }

    fn quantized_rows(&mut self, rows: &str) -> QuantizedRows {
        if let Some(known) = self.quantized.get(rows) {
            return known.clone();
        }
        let mut unique = |part| self.names.unique(&format!("{rows}_{part}"));
        let quantized = QuantizedRows {
            values: unique("quantized"),
            scale: unique("scale"),
            zero_point: unique("zero_point"),
        };
        let smooth = match self.smoothing.get(rows).cloned() {
            Some(factors) => self.add("Mul", &[rows, &factors], &format!("{rows}_smooth")),
            None => rows.to_owned(),
        };
        let outputs = [
            quantized.values.as_str(),
            &quantized.scale,
            &quantized.zero_point,
        ];
        self.nodes
            .push(node("DynamicQuantizeLinear", "", &[&smooth], &outputs));
        self.quantized.insert(rows.to_owned(), quantized.clone());
        quantized
    }

    fn cast_to_floats(&mut self, value: &str, result: &str) -> String {
        let output = self.names.unique(&format!("{result}_floats"));
        let cast = node("Cast", "", &[value], &[&output]);
        self.nodes.push(cast.with_int("to", FLOAT.into()));
        output
    }

    /// Adds the last node of a layer, which keeps the name and output of the
    /// original one.
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
        names.extend(initializer_names(graph));
        names.extend(graph.free_inputs().map(str::to_owned));
        Self(names)
    }

    /// A new name, `wanted` if it is free.
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
