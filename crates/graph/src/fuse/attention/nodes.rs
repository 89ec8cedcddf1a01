//! Nodes that are written beside a fused attention.

use crate::node::{constant_node, node};
use crate::onnx::{INT64, NodeProto, TensorProto};

/// Nodes in order of execution, with names of their own. Those that compute the
/// same as nodes of another attention are merged later.
pub(super) struct Nodes {
    /// The prefix of new names.
    prefix: String,
    opset: i64,
    pub(super) all: Vec<NodeProto>,
}

impl Nodes {
    pub(super) fn new(prefix: &str, opset: i64) -> Self {
        Self {
            prefix: prefix.to_owned(),
            opset,
            all: Vec::new(),
        }
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
        let output = self.name();
        self.all.push(edit(node(operator, "", inputs, &[&output])));
        output
    }

    /// Adds a node under the name of an output.
    pub(super) fn push(&mut self, node: NodeProto) {
        self.all.push(node);
    }

    /// Inserts an axis of size 1.
    pub(super) fn unsqueezed(&mut self, value: &str, axis: i64) -> String {
        if self.opset < 13 {
            return self.add_with("Unsqueeze", &[value], |node| {
                node.with_ints("axes", &[axis])
            });
        }
        let axes = self.numbers(&[axis]);
        self.add("Unsqueeze", &[value, &axes])
    }

    /// A constant of integers, `[numbers]`.
    pub(super) fn numbers(&mut self, numbers: &[i64]) -> String {
        let output = self.name();
        self.all.push(constant_node(&output, numbers));
        output
    }

    /// A constant that is a single integer.
    pub(super) fn number(&mut self, number: i64) -> String {
        let output = self.name();
        let tensor = TensorProto {
            data_type: Some(INT64),
            int64_data: vec![number],
            ..TensorProto::default()
        };
        let constant = node("Constant", "", &[], &[&output]);
        self.all.push(constant.with_tensor("value", tensor));
        output
    }

    fn name(&self) -> String {
        format!("{}.attention.{}", self.prefix, self.all.len())
    }
}
