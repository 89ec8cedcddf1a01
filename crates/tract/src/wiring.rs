//! An ONNX graph as a tract model.

use std::collections::{BTreeSet, HashMap};

use multivec_graph::Graph;
use multivec_graph::onnx::NodeProto;
use tract_core::internal::*;

use super::node::{Node, Parts};
use super::{operators, tensor};

/// Wires the graph for `[batch, length]` inputs of 64-bit integers, of any
/// size. Inputs are in the order of the graph.
pub(super) fn wire(graph: &Graph, parts: &Parts<'_>) -> TractResult<TypedModel> {
    check_operators(graph)?;
    let mut model = TypedModel::default();
    let mut values = HashMap::new();
    for tensor in graph.initializers() {
        let name = tensor.name.as_deref().unwrap_or_default();
        values.insert(
            name,
            model.add_const(name, tensor::read(tensor, parts.external)?)?,
        );
    }
    let shape = [
        model.symbols.sym("batch").to_dim(),
        model.symbols.sym("length").to_dim(),
    ];
    for name in graph.free_inputs() {
        values.insert(name, model.add_source(name, i64::fact(&shape))?);
    }
    let opset = graph.opset();
    for (at, proto) in graph.nodes().iter().enumerate() {
        let outlets = wire_node(at, proto, &mut model, &values, (opset, parts))
            .with_context(|| describe(proto))?;
        for (name, outlet) in proto.output.iter().zip(outlets) {
            values.insert(name.as_str(), outlet);
        }
    }
    let outputs = graph
        .outputs()
        .map(|name| values.get(name).copied().with_context(|| missing(name)))
        .collect::<TractResult<Vec<_>>>()?;
    model.select_output_outlets(&outputs)?;
    Ok(model)
}

/// Names all operators that are not there, not only the first.
fn check_operators(graph: &Graph) -> TractResult<()> {
    let unknown: BTreeSet<String> = graph
        .nodes()
        .iter()
        .map(NodeProto::operator)
        .filter(|name| operators::find(name).is_none())
        .collect();
    ensure!(
        unknown.is_empty(),
        "expected operators that encoders are made of, found {}",
        unknown.into_iter().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn wire_node(
    at: usize,
    proto: &NodeProto,
    model: &mut TypedModel,
    values: &HashMap<&str, OutletId>,
    (opset, parts): (i64, &Parts<'_>),
) -> TractResult<TVec<OutletId>> {
    let operator = operators::find(&proto.operator()).with_context(|| proto.operator())?;
    let inputs = proto
        .input
        .iter()
        .map(|name| match name.as_str() {
            "" => Ok(None),
            name => values
                .get(name)
                .map(|&outlet| Some(outlet))
                .with_context(|| missing(name)),
        })
        .collect::<TractResult<_>>()?;
    // The position keeps names apart that a graph uses twice.
    let name = format!("{at}.{}", proto.name.as_deref().unwrap_or_default());
    let outlets = operator(&mut Node::new(name, proto, model, inputs, opset, parts))?;
    ensure!(
        proto.output.len() <= outlets.len(),
        "expected {} outputs, found {}",
        outlets.len(),
        proto.output.len()
    );
    Ok(outlets)
}

fn missing(name: &str) -> String {
    format!("expected a value `{name}`, found none")
}

fn describe(node: &NodeProto) -> String {
    let name = node.name.as_deref().unwrap_or_default();
    format!("in the node `{name}` ({})", node.operator())
}
