//! Nodes and constants of a graph that is being written.

use std::collections::HashSet;

use crate::graph::Graph;
use crate::node::node;
use crate::onnx::{FLOAT, INT64, NodeProto, TensorProto};

/// Nodes in order of execution, and the constants that they read.
pub(crate) struct Builder {
    opset: i64,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names: HashSet<String>,
}

impl Builder {
    /// Starts a graph of its own.
    pub(crate) fn empty(opset: i64) -> Self {
        Self {
            opset,
            nodes: Vec::new(),
            constants: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// Starts anew with the names of a graph, whose nodes are not taken over.
    pub(crate) fn new(graph: &Graph) -> Self {
        let nodes = graph
            .nodes()
            .iter()
            .flat_map(|node| node.output.iter().cloned());
        let tensors = graph
            .initializers()
            .iter()
            .filter_map(|tensor| tensor.name.clone());
        Self {
            opset: graph.opset(),
            nodes: Vec::new(),
            constants: Vec::new(),
            // Names of nodes are separate from those of values.
            names: (graph.nodes().iter())
                .filter_map(|node| node.name.clone())
                .chain(nodes)
                .chain(tensors)
                .collect(),
        }
    }

    pub(crate) fn opset(&self) -> i64 {
        self.opset
    }

    pub(crate) fn push(&mut self, node: NodeProto) {
        self.nodes.push(node);
    }

    /// Adds a node with one output, whose name it returns.
    pub(crate) fn add(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.add_with(operator, inputs, |node| node)
    }

    /// Adds a node as `edit` returns it.
    pub(crate) fn add_with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        edit: impl FnOnce(NodeProto) -> NodeProto,
    ) -> String {
        let output = self.unique(operator);
        self.nodes
            .push(edit(node(operator, "", inputs, &[&output])));
        output
    }

    /// Cuts a value into parts of these sizes along an axis.
    pub(crate) fn split<const N: usize>(
        &mut self,
        x: &str,
        axis: i64,
        sizes: [i64; N],
    ) -> [String; N] {
        let outputs = [0; N].map(|_| self.unique("Split"));
        let names = outputs.each_ref().map(String::as_str);
        let split = if self.opset < 13 {
            node("Split", "", &[x], &names).with_ints("split", &sizes)
        } else {
            let sizes = self.ints(&sizes);
            node("Split", "", &[x, &sizes], &names)
        };
        self.nodes.push(split.with_int("axis", axis));
        outputs
    }

    /// Adds a node whose axes are an attribute before the version `since` of
    /// the standard operators, and an input from then on.
    pub(crate) fn add_over(
        &mut self,
        operator: &str,
        input: &str,
        axes: &[i64],
        since: i64,
        edit: impl FnOnce(NodeProto) -> NodeProto,
    ) -> String {
        if self.opset < since {
            self.add_with(operator, &[input], |node| {
                edit(node.with_ints("axes", axes))
            })
        } else {
            let axes = self.ints(axes);
            self.add_with(operator, &[input, &axes], edit)
        }
    }

    /// A constant of integers, `[values]`.
    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        self.tensor(TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(INT64),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    pub(crate) fn int(&mut self, value: i64) -> String {
        self.tensor(TensorProto {
            data_type: Some(INT64),
            int64_data: vec![value],
            ..TensorProto::default()
        })
    }

    pub(crate) fn float(&mut self, value: f32) -> String {
        self.tensor(TensorProto {
            data_type: Some(FLOAT),
            float_data: vec![value],
            ..TensorProto::default()
        })
    }

    /// A constant of floats of that shape.
    pub(crate) fn floats(&mut self, dims: &[i64], values: Vec<f32>) -> String {
        self.tensor(TensorProto {
            dims: dims.to_vec(),
            data_type: Some(FLOAT),
            float_data: values,
            ..TensorProto::default()
        })
    }

    /// Adds a tensor under its own name, or under another one if a value has
    /// that name.
    pub(crate) fn weight(&mut self, mut tensor: TensorProto) -> String {
        let wanted = tensor.name.take().unwrap_or_default();
        let name = if wanted.is_empty() || !self.names.insert(wanted.clone()) {
            self.unique(&wanted)
        } else {
            wanted
        };
        tensor.name = Some(name.clone());
        self.constants.push(tensor);
        name
    }

    /// Equal constants are kept once.
    fn tensor(&mut self, mut tensor: TensorProto) -> String {
        let same = self.constants.iter().find(|other| {
            (&other.dims, &other.int64_data, &other.float_data)
                == (&tensor.dims, &tensor.int64_data, &tensor.float_data)
                && other.data_type == tensor.data_type
                && other.data_location.is_none()
        });
        if let Some(name) = same.and_then(|tensor| tensor.name.clone()) {
            return name;
        }
        let name = self.unique("constant");
        tensor.name = Some(name.clone());
        self.constants.push(tensor);
        name
    }

    /// Renames the value that the last node computes.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let Some(node) = self.nodes.last_mut() else {
            return;
        };
        for name in node.output.iter_mut().chain(&mut node.name) {
            if name == from {
                to.clone_into(name);
            }
        }
    }

    /// Renames the value that one of the nodes computes, for all that read it.
    /// Returns whether there is such a node.
    pub(crate) fn rename_value(&mut self, from: &str, to: &str) -> bool {
        for node in self.nodes.iter_mut().rev() {
            let is_maker = node.output.iter().any(|name| name == from);
            let names = node.output.iter_mut().chain(&mut node.input);
            for name in names.filter(|name| *name == from) {
                to.clone_into(name);
            }
            if is_maker {
                return true;
            }
        }
        false
    }

    pub(crate) fn unique(&mut self, hint: &str) -> String {
        let mut at = self.names.len();
        loop {
            let name = format!("multivec.{hint}.{at}");
            if self.names.insert(name.clone()) {
                return name;
            }
            at += 1;
        }
    }

    /// Puts nodes in front of those that were added.
    pub(crate) fn prepend(&mut self, mut nodes: Vec<NodeProto>) {
        nodes.append(&mut self.nodes);
        self.nodes = nodes;
    }

    /// Replaces the nodes of a graph, and adds the constants.
    pub(crate) fn into_graph(self, graph: &mut Graph) {
        graph.proto_mut().node = self.nodes;
        graph.proto_mut().initializer.extend(self.constants);
    }
}
