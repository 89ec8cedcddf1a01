//! Linear layers taken out of a graph, packed for this machine's kernels.

use std::sync::Arc;

use prost::bytes::Bytes;

use super::super::Graph;
use super::super::clean::remove_unused_initializers;
use super::super::external::tensor_bytes;
use super::super::fuse::DOMAIN;
use super::super::onnx::{FLOAT, NodeProto, TensorProto, UINT8};
use super::super::values::elements;
use crate::error::{Error, Result};
use crate::kernels::{Activation, Layer, Linear, WeightType, Weights};

/// The operator that stands for a layer that was taken out.
///
/// `PackedLinear(x, residual?)`; attributes: `layer`, its position in the list
/// of [`pack_linears`], and `outer`, the columns of the result.
pub const PACKED_LINEAR: &str = "PackedLinear";

/// Which layers are taken out of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layers {
    /// Those with 8-bit weights.
    Quantized,
    /// Those with floats, too.
    All,
}

/// Takes the weights of `Linear` layers out of a graph and packs them.
/// `external` reads tensors whose bytes are in another file.
///
/// # Errors
/// [`Error::InvalidModel`] for weights that cannot be read.
pub fn pack_linears(
    graph: &mut Graph,
    layers: Layers,
    file: &str,
    external: &dyn Fn(&TensorProto) -> Result<Bytes>,
) -> Result<Vec<Arc<Linear>>> {
    let mut packed: Vec<Arc<Linear>> = Vec::new();
    let mut nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &mut nodes {
        let is_ours = node.domain.as_deref() == Some(DOMAIN);
        let is_linear = is_ours && node.op_type.as_deref() == Some("Linear");
        // Floats have no scales.
        let is_quantized = node.input.get(2).is_some_and(|scales| !scales.is_empty());
        if !is_linear || (layers == Layers::Quantized && !is_quantized) {
            continue;
        }
        let layer = pack(graph, node, external)?.ok_or_else(|| Error::InvalidModel {
            file: file.to_owned(),
            engine: "multivec",
            source: format!(
                "expected weights, scales and bias that fit each other in the linear layer `{}`",
                node.output.concat()
            )
            .into(),
        })?;
        let residual = node.input.get(5).cloned();
        node.input.truncate(1);
        node.input.extend(residual);
        node.op_type = Some(PACKED_LINEAR.to_owned());
        node.attribute.clear();
        *node = std::mem::take(node)
            .with_int("layer", packed.len() as i64)
            .with_int("outer", layer.outer() as i64);
        packed.push(Arc::new(layer));
    }
    graph.proto_mut().node = nodes;
    remove_unused_initializers(graph);
    Ok(packed)
}

fn pack(
    graph: &Graph,
    node: &NodeProto,
    external: &dyn Fn(&TensorProto) -> Result<Bytes>,
) -> Result<Option<Linear>> {
    let tensor = |at: usize| {
        let name = node.input.get(at).filter(|name| !name.is_empty());
        name.and_then(|name| graph.initializer(name))
    };
    let bytes = |at: usize| match tensor(at) {
        Some(tensor) => tensor_bytes(tensor, external),
        None => Ok(Bytes::new()),
    };
    let (weights, scales, zeros, bias) = (bytes(1)?, bytes(2)?, bytes(3)?, bytes(4)?);
    let Some(matrix) = tensor(1) else {
        return Ok(None);
    };
    let &[inner, outer] = matrix.dims.as_slice() else {
        return Ok(None);
    };
    let size = |dim: i64| usize::try_from(dim).unwrap_or(0);
    let floats = |bytes: &Bytes| elements(bytes, f32::from_le_bytes);
    let (values, scales, bias) = match matrix.data_type {
        Some(FLOAT) => (floats(&weights), Vec::new(), floats(&bias)),
        _ => (Vec::new(), floats(&scales), floats(&bias)),
    };
    let layer = Layer {
        weights: match matrix.data_type {
            Some(FLOAT) => Weights::Floats(&values),
            other => Weights::Integers {
                bytes: &weights,
                weight_type: match other {
                    Some(UINT8) => WeightType::Uint8,
                    _ => WeightType::Int8,
                },
                scales: &scales,
                zero_points: &zeros,
            },
        },
        inner: size(inner),
        outer: size(outer),
        bias: &bias,
        activation: activation(node.text("activation")),
    };
    Ok(layer.pack())
}

fn activation(name: &str) -> Activation {
    match name {
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "gated_gelu" => Activation::GatedGelu,
        "gated_gelu_tanh" => Activation::GatedGeluTanh,
        _ => Activation::None,
    }
}
