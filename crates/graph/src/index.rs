//! Producers, readers and constants of a graph, by the names of values.

use std::collections::HashMap;

use crate::graph::Graph;
use crate::node::{elements, integer_elements};
use crate::onnx::{FLOAT, NodeProto, TensorProto};

/// Who computes each value of a graph, who reads it, and which values are
/// constant.
pub(crate) struct ValueIndex<'g> {
    graph: &'g Graph,
    producers: HashMap<&'g str, usize>,
    readers: HashMap<&'g str, Vec<usize>>,
    initializers: HashMap<&'g str, &'g TensorProto>,
}

/// The position of a reader that is no node: a graph's output is read by its
/// caller.
const CALLER: usize = usize::MAX;

/// A constant matrix, as it is in the model.
#[derive(Clone, Copy)]
pub(crate) struct ConstantMatrix<'g> {
    /// The value that holds it.
    pub(crate) name: &'g str,
    pub(crate) tensor: &'g TensorProto,
    /// Whether it is transposed on the way to where it is read.
    pub(crate) transposed: bool,
}

impl<'g> ValueIndex<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        let mut producers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in graph.nodes().iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                producers.insert(name.as_str(), at);
            }
            for name in node.input.iter().filter(|name| !name.is_empty()) {
                readers.entry(name).or_default().push(at);
            }
        }
        for name in graph.outputs() {
            readers.entry(name).or_default().push(CALLER);
        }
        let initializers = graph
            .initializers()
            .iter()
            .filter_map(|tensor| Some((tensor.name.as_deref()?, tensor)))
            .collect();
        Self {
            graph,
            producers,
            readers,
            initializers,
        }
    }

    pub(crate) fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The node at a position; `None` for the caller.
    pub(crate) fn node(&self, at: usize) -> Option<&'g NodeProto> {
        self.graph.nodes().get(at)
    }

    /// The node that computes `value`.
    pub(crate) fn producer(&self, value: &str) -> Option<&'g NodeProto> {
        self.producers.get(value).and_then(|&at| self.node(at))
    }

    /// The node that computes `value`, if it is the standard operator `op`.
    pub(crate) fn made_by(&self, value: &str, op: &str) -> Option<&'g NodeProto> {
        self.producer(value).filter(|node| node.is(op))
    }

    /// Positions of the nodes that read `value`, once for each input that is
    /// it; see [`node`](Self::node).
    pub(crate) fn readers(&self, value: &str) -> &[usize] {
        self.readers.get(value).map_or(&[], Vec::as_slice)
    }

    /// The only node that reads `value`, if it does so once and the caller
    /// does not.
    pub(crate) fn reader(&self, value: &str) -> Option<&'g NodeProto> {
        match self.readers(value) {
            &[at] => self.node(at),
            _ => None,
        }
    }

    /// The only node that reads more of `value` than its shape.
    pub(crate) fn data_reader(&self, value: &str) -> Option<&'g NodeProto> {
        let mut found = None;
        for &at in self.readers(value) {
            let node = self.node(at)?;
            if !node.is("Shape") && !node.is("Size") && found.replace(node).is_some() {
                return None;
            }
        }
        found
    }

    /// Follows the first inputs of nodes from `value` upwards, as long as the
    /// nodes are among `ops`.
    pub(crate) fn before(&self, value: &'g str, ops: &[&str]) -> &'g str {
        let mut value = value;
        // The graph is acyclic; the bound guards against corrupt ones.
        for _ in 0..16 {
            let node = self.producer(value);
            let node = node.filter(|node| ops.iter().any(|op| node.is(op)));
            match node.and_then(|node| node.input.first()) {
                Some(first) => value = first,
                None => break,
            }
        }
        value
    }

    /// The tensor of a constant: an initializer, or the value of a `Constant`.
    pub(crate) fn constant(&self, value: &str) -> Option<&'g TensorProto> {
        match self.producer(value) {
            Some(node) if node.is("Constant") => node.attribute("value")?.t.as_ref(),
            Some(_) => None,
            None => self.initializers.get(value).copied(),
        }
    }

    pub(crate) fn is_constant(&self, value: &str) -> bool {
        self.constant(value).is_some()
    }

    /// A constant behind any `Identity` and `Transpose` of two axes.
    pub(crate) fn constant_matrix(&self, value: &'g str) -> Option<ConstantMatrix<'g>> {
        let (mut name, mut transposed) = (value, false);
        // Exporters write one `Transpose`; the bound guards against cycles.
        for _ in 0..8 {
            name = self.before(name, &["Identity"]);
            let Some(transpose) = self.made_by(name, "Transpose") else {
                break;
            };
            if !matches!(transpose.ints("perm"), None | Some([1, 0])) {
                return None;
            }
            name = transpose.input.first()?;
            transposed = !transposed;
        }
        Some(ConstantMatrix {
            name,
            tensor: self.constant(name)?,
            transposed,
        })
    }

    /// The elements of a constant of integers.
    pub(crate) fn integers(&self, value: &str) -> Option<Vec<i64>> {
        integer_elements(self.constant(value)?)
    }

    /// The elements of a constant of floats.
    pub(crate) fn floats(&self, value: &str) -> Option<Vec<f32>> {
        let tensor = self.constant(value)?;
        if tensor.data_type != Some(FLOAT) {
            return None;
        }
        Some(match &tensor.raw_data {
            Some(raw) => elements(raw, f32::from_le_bytes),
            None => tensor.float_data.clone(),
        })
    }

    /// Whether `value` is a constant whose elements are all `expected`.
    pub(crate) fn is_integer(&self, value: &str, expected: i64) -> bool {
        self.integers(value).is_some_and(|found| {
            !found.is_empty() && found.iter().all(|&element| element == expected)
        })
    }
}
