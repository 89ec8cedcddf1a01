//! Operators that this crate does not wire itself, by tract-onnx: the reader
//! of last resort for servers.
//!
//! A node at a time is read into a model of its own, whose operators are then
//! wired into the model of the graph. Everything else in the graph runs on our
//! own kernels, fused as usual.

use std::collections::HashMap;

use multivec_graph::onnx::{EXTERNAL, NodeProto};
use multivec_graph::{self as graph, ExternalReader, embed_bytes};
use prost::Message;
use tract_core::internal::*;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::infer::{InferenceFact, InferenceModel, InferenceModelExt};

use super::super::node::{Node, value};
use super::super::operators::Operator;

/// The operators outside of the standard that tract-onnx reads as ONNX Runtime
/// defines them. It tells operators apart by name alone, and would take
/// `com.microsoft.Attention` for the standard's.
const CONTRIB: [&str; 10] = [
    "com.microsoft.BiasGelu",
    "com.microsoft.FastGelu",
    "com.microsoft.GatherBlockQuantized",
    "com.microsoft.GroupQueryAttention",
    "com.microsoft.MatMulNBits",
    "com.microsoft.MultiHeadAttention",
    "com.microsoft.QuickGelu",
    "com.microsoft.RotaryEmbedding",
    "com.microsoft.SkipLayerNormalization",
    "com.microsoft.SkipSimplifiedLayerNormalization",
];

/// The operator of that name, see [`NodeProto::operator`].
pub(in super::super) fn find(operator: &str) -> Option<Operator> {
    let is_standard = !operator.contains('.');
    let name = operator.rsplit('.').next()?;
    let is_read = (is_standard || CONTRIB.contains(&operator))
        && tract_onnx::onnx().op_register.0.contains_key(name);
    is_read.then_some(wire)
}

/// Wires a node as tract-onnx reads it.
fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let proto = translated(node.proto, node.parts.external)?;
    let framework = tract_onnx::onnx();
    let build = framework.op_register.0.get(&proto.op_type);
    let build = build.with_context(|| node.proto.operator())?;
    let mut model = InferenceModel {
        // Dimensions of both models are expressions of the same symbols.
        symbols: node.model.symbols.clone(),
        ..InferenceModel::default()
    };
    let context = ParsingContext {
        onnx_operator_set_version: node.opset,
        framework: &framework,
        model: &pb::ModelProto::default(),
        parent_graphs: Vec::new(),
        model_dir: None,
        template: model.clone(),
    };
    let (op, captured) = build(&context, &proto)?;

    let mut inputs: TVec<OutletId> = node.inputs.iter().copied().flatten().collect();
    for name in &captured {
        inputs.push(value(node.values, name)?);
    }
    let mut sources = tvec!();
    let mut arguments = tvec!();
    for (at, &input) in inputs.iter().enumerate() {
        let fact = node.fact(input)?;
        let name = format!("input.{at}");
        arguments.push(match &fact.konst {
            Some(known) => model.add_const(name, known.clone())?,
            None => {
                sources.push(input);
                model.add_source(name, InferenceFact::from(fact))?
            }
        });
    }
    let is_given = |name: &&String| !name.is_empty();
    let outputs = proto.output.iter().filter(is_given).count();
    let id = model.add_node("node", op, tvec![InferenceFact::default(); outputs])?;
    for (at, argument) in arguments.into_iter().enumerate() {
        model.add_edge(argument, InletId::new(id, at))?;
    }
    let outlets: Vec<OutletId> = (0..outputs).map(|at| OutletId::new(id, at)).collect();
    model.select_output_outlets(&outlets)?;
    let mut outlets = splice(node, &model.into_typed()?, &sources)?.into_iter();
    // Outputs that the node leaves out get an outlet too; none reads it.
    let any = outlets.clone().next().context("expected an output")?;
    let all = proto.output.iter().map(|name| match name.as_str() {
        "" => Some(any),
        _ => outlets.next(),
    });
    all.collect::<Option<TVec<_>>>()
        .with_context(|| format!("expected {outputs} outputs"))
}

/// Wires the operators of `from`, whose inputs are `sources`.
fn splice(
    node: &mut Node<'_>,
    from: &TypedModel,
    sources: &[OutletId],
) -> TractResult<TVec<OutletId>> {
    let mut wired: HashMap<OutletId, OutletId> = from
        .inputs
        .iter()
        .copied()
        .zip(sources.iter().copied())
        .collect();
    for id in from.eval_order()? {
        let inner = from.node(id);
        if TypedModel::is_source(&inner.op) {
            continue;
        }
        let inputs: TVec<OutletId> = inner.inputs.iter().map(|input| wired[input]).collect();
        let outlets = node.wire_all(inner.op.clone(), &inputs)?;
        for (at, outlet) in outlets.into_iter().enumerate() {
            wired.insert(OutletId::new(id, at), outlet);
        }
    }
    Ok(from.outputs.iter().map(|output| wired[output]).collect())
}

/// The node in tract-onnx's own type, with all its tensors in it.
fn translated(proto: &NodeProto, external: &ExternalReader<'_>) -> TractResult<pb::NodeProto> {
    let mut proto = proto.clone();
    embed_tensors(&mut proto, external)?;
    Ok(pb::NodeProto::decode(proto.encode_to_vec().as_slice())?)
}

fn embed_tensors(node: &mut NodeProto, external: &ExternalReader<'_>) -> graph::Result<()> {
    for attribute in &mut node.attribute {
        let mut tensors: Vec<_> = attribute
            .t
            .iter_mut()
            .chain(&mut attribute.tensors)
            .collect();
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            tensors.extend(&mut graph.initializer);
            for node in &mut graph.node {
                embed_tensors(node, external)?;
            }
        }
        for tensor in tensors {
            if tensor.data_location == Some(EXTERNAL) {
                let bytes = external(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
    }
    Ok(())
}
