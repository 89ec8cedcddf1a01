//! An ONNX graph as a tract model.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use multivec_graph::Graph;
use multivec_graph::onnx::NodeProto;
use tract_core::internal::*;

use super::node::{Node, Parts, value};
use super::{operators, reader, tensor};

/// A graph in tract's form.
pub(super) struct Wired {
    pub(super) model: TypedModel,
    /// The operators that tract-onnx wired.
    pub(super) fallbacks: BTreeSet<String>,
}

/// Wires the graph for `[batch, length]` inputs of 64-bit integers, of any
/// size. Inputs are in the order of the graph.
pub(super) fn wire(graph: &Graph, parts: &Parts<'_>) -> TractResult<Wired> {
    check_operators(graph.nodes())?;
    let mut wiring = Wiring {
        model: TypedModel::default(),
        values: HashMap::new(),
        fallbacks: BTreeSet::new(),
        opset: graph.opset(),
        parts,
    };
    wiring.add_initializers(graph)?;
    wiring.add_inputs(graph)?;
    for (at, proto) in graph.nodes().iter().enumerate() {
        // The position keeps names apart that a graph uses twice.
        let name = format!("{at}.{}", proto.name.as_deref().unwrap_or_default());
        wiring
            .add_node(name, proto)
            .with_context(|| describe(proto))?;
    }
    wiring.finish(graph)
}

struct Wiring<'a> {
    model: TypedModel,
    values: HashMap<&'a str, OutletId>,
    fallbacks: BTreeSet<String>,
    /// Version of the standard operators.
    opset: i64,
    parts: &'a Parts<'a>,
}

impl<'a> Wiring<'a> {
    fn add_initializers(&mut self, graph: &'a Graph) -> TractResult<()> {
        for tensor in graph.initializers() {
            let name = tensor.name.as_deref().unwrap_or_default();
            let value = tensor::read(tensor, self.parts.external)?;
            self.values.insert(name, self.model.add_const(name, value)?);
        }
        Ok(())
    }

    fn add_inputs(&mut self, graph: &'a Graph) -> TractResult<()> {
        let symbol = |name| self.model.symbols.sym(name).to_dim();
        let shape = [symbol("batch"), symbol("length")];
        for name in graph.free_inputs() {
            let outlet = self.model.add_source(name, i64::fact(&shape))?;
            self.values.insert(name, outlet);
        }
        Ok(())
    }

    fn add_node(&mut self, name: String, proto: &'a NodeProto) -> TractResult<()> {
        let inputs = proto
            .input
            .iter()
            .map(|name| match name.as_str() {
                "" => Ok(None),
                name => value(&self.values, name).map(Some),
            })
            .collect::<TractResult<_>>()?;
        let mut node = Node {
            proto,
            model: &mut self.model,
            inputs,
            values: &self.values,
            opset: self.opset,
            parts: self.parts,
            name,
            steps: 0,
        };
        let operator = proto.operator();
        let outlets = match (operators::find(&operator), reader::find(&operator)) {
            (Some(wire), _) => wire(&mut node)?,
            (None, Some(wire)) => {
                let outlets = wire(&mut node)?;
                self.fallbacks.insert(operator);
                outlets
            }
            (None, None) => bail!("expected an operator of encoders"),
        };
        ensure!(
            proto.output.len() <= outlets.len(),
            "expected at most {} outputs, found {}",
            outlets.len(),
            proto.output.len()
        );
        for (name, outlet) in proto.output.iter().zip(outlets) {
            self.values.insert(name, outlet);
        }
        Ok(())
    }

    fn finish(mut self, graph: &Graph) -> TractResult<Wired> {
        let outputs = graph
            .outputs()
            .map(|name| value(&self.values, name))
            .collect::<TractResult<Vec<_>>>()?;
        self.model.select_output_outlets(&outputs)?;
        Ok(Wired {
            model: self.model,
            fallbacks: self.fallbacks,
        })
    }
}

/// Nodes of an unknown operator that an error names.
const NAMED: usize = 3;

/// Names all operators that are unknown, not only the first, and their nodes.
fn check_operators(nodes: &[NodeProto]) -> TractResult<()> {
    let is_known = |name: &str| {
        operators::find(name)
            .or_else(|| reader::find(name))
            .is_some()
    };
    let mut unknown = BTreeMap::new();
    collect_unknown(nodes, &is_known, &mut unknown);
    ensure!(
        unknown.is_empty(),
        "expected operators that encoders are made of, found {}",
        unknown
            .iter()
            .map(|(operator, nodes)| count(operator, nodes))
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(())
}

/// An operator, how many nodes have it, and the names of the first ones.
fn count(operator: &str, nodes: &[&str]) -> String {
    let named = nodes.iter().filter(|name| !name.is_empty()).take(NAMED);
    let mut names: Vec<String> = named.map(|name| format!("`{name}`")).collect();
    if names.len() < nodes.len() {
        names.push("...".to_owned());
    }
    let unit = if nodes.len() == 1 { "node" } else { "nodes" };
    format!("{operator} ({} {unit}: {})", nodes.len(), names.join(", "))
}

fn collect_unknown<'n>(
    nodes: &'n [NodeProto],
    is_known: &dyn Fn(&str) -> bool,
    unknown: &mut BTreeMap<String, Vec<&'n str>>,
) {
    for node in nodes {
        let operator = node.operator();
        if !is_known(&operator) {
            let name = node.name.as_deref().unwrap_or_default();
            unknown.entry(operator).or_default().push(name);
            continue;
        }
        for attribute in &node.attribute {
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                // tract-onnx reads branches and bodies as a whole.
                let is_known = |name: &str| reader::find(name).is_some();
                collect_unknown(&graph.node, &is_known, unknown);
            }
        }
    }
}

fn describe(node: &NodeProto) -> String {
    let name = node.name.as_deref().unwrap_or_default();
    format!("in the node `{name}` ({})", node.operator())
}
