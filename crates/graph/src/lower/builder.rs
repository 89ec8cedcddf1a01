//! Nodes and constants of a lowered graph.

use std::collections::HashSet;

use crate::graph::Graph;
use crate::node::node;
use crate::onnx::{FLOAT, INT64, NodeProto, TensorProto};

/// Nodes in order of execution, and the constants that they read.
pub(super) struct Builder {
    opset: i64,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names: HashSet<String>,
}

impl Builder {
    pub(super) fn new(graph: &Graph) -> Self {
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

    pub(super) fn opset(&self) -> i64 {
        self.opset
    }

    pub(super) fn push(&mut self, node: NodeProto) {
        self.nodes.push(node);
    }

    /// Adds a node with one output, whose name it returns.
    pub(super) fn add(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.add_with(operator, inputs, |node| node)
    }

    /// Adds a node as `edit` returns it.
    pub(super) fn add_with(
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

    /// Adds a node whose axes are an attribute before the version `since` of
    /// the standard operators, and an input from then on.
    pub(super) fn add_over(
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
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        self.tensor(TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(INT64),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    pub(super) fn int(&mut self, value: i64) -> String {
        self.tensor(TensorProto {
            data_type: Some(INT64),
            int64_data: vec![value],
            ..TensorProto::default()
        })
    }

    pub(super) fn float(&mut self, value: f32) -> String {
        self.tensor(TensorProto {
            data_type: Some(FLOAT),
            float_data: vec![value],
            ..TensorProto::default()
        })
    }

    /// Equal constants are kept once.
    fn tensor(&mut self, mut tensor: TensorProto) -> String {
        let same = self.constants.iter().find(|other| {
            (&other.dims, &other.int64_data, &other.float_data)
                == (&tensor.dims, &tensor.int64_data, &tensor.float_data)
                && other.data_type == tensor.data_type
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
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(node) = self.nodes.last_mut() else {
            return;
        };
        for name in node.output.iter_mut().chain(&mut node.name) {
            if name == from {
                to.clone_into(name);
            }
        }
    }

    pub(super) fn unique(&mut self, hint: &str) -> String {
        let mut at = self.names.len();
        loop {
            let name = format!("multivec.{hint}.{at}");
            if self.names.insert(name.clone()) {
                return name;
            }
            at += 1;
        }
    }

    /// Replaces the nodes of a graph, and adds the constants.
    pub(super) fn into_graph(self, graph: &mut Graph) {
        graph.proto_mut().node = self.nodes;
        graph.proto_mut().initializer.extend(self.constants);
    }
}
