//! Linear layers taken out of a graph, packed for this machine's kernels.

use std::sync::Arc;

use prost::bytes::Bytes;

use super::super::Graph;
use super::super::clean::remove_unused_initializers;
use super::super::fuse::DOMAIN;
use super::super::onnx::{NodeProto, TensorProto, UINT8};
use super::super::values::elements;
use crate::error::{Error, Result};
use crate::kernels::{Activation, Layer, QuantizedLinear, WeightType};

/// The operator that stands for a layer that was taken out.
///
/// `PackedLinear(x, residual?)`; attributes: `layer`, its position in the list
/// of [`pack_linears`], and `outer`, the columns of the result.
pub const PACKED_LINEAR: &str = "PackedLinear";

/// Takes the weights of all `QuantizedLinear` out of a graph and packs them.
/// `external` reads tensors whose bytes are in another file.
///
/// # Errors
/// [`Error::InvalidModel`] for weights that cannot be read.
pub fn pack_linears(
    graph: &mut Graph,
    file: &str,
    external: &dyn Fn(&TensorProto) -> Result<Bytes>,
) -> Result<Vec<Arc<QuantizedLinear>>> {
    let mut layers: Vec<Arc<QuantizedLinear>> = Vec::new();
    let mut nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &mut nodes {
        let is_ours = node.domain.as_deref() == Some(DOMAIN);
        if !is_ours || node.op_type.as_deref() != Some("QuantizedLinear") {
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
            .with_int("layer", layers.len() as i64)
            .with_int("outer", layer.outer() as i64);
        layers.push(Arc::new(layer));
    }
    graph.proto_mut().node = nodes;
    remove_unused_initializers(graph);
    Ok(layers)
}

fn pack(
    graph: &Graph,
    node: &NodeProto,
    external: &dyn Fn(&TensorProto) -> Result<Bytes>,
) -> Result<Option<QuantizedLinear>> {
    let tensor = |at: usize| {
        let name = node.input.get(at).filter(|name| !name.is_empty());
        name.and_then(|name| graph.initializer(name))
    };
    let bytes = |at: usize| match tensor(at) {
        Some(tensor) => raw(tensor, external),
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
    let layer = Layer {
        weights: &weights,
        weight_type: match matrix.data_type {
            Some(UINT8) => WeightType::Uint8,
            _ => WeightType::Int8,
        },
        inner: size(inner),
        outer: size(outer),
        scales: &elements(&scales, f32::from_le_bytes),
        zero_points: &zeros,
        bias: &elements(&bias, f32::from_le_bytes),
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

/// The bytes of a tensor of floats or 8-bit integers, wherever they are.
fn raw(tensor: &TensorProto, external: &dyn Fn(&TensorProto) -> Result<Bytes>) -> Result<Bytes> {
    // `TensorProto.DataLocation.EXTERNAL`
    if tensor.data_location == Some(1) {
        return external(tensor);
    }
    Ok(match &tensor.raw_data {
        Some(raw) => raw.clone(),
        None if !tensor.float_data.is_empty() => {
            let bytes = tensor
                .float_data
                .iter()
                .flat_map(|value| value.to_le_bytes());
            bytes.collect::<Vec<u8>>().into()
        }
        // Small integers are written one by one in 32 bits.
        None => {
            let bytes = tensor.int32_data.iter().map(|&value| value as u8);
            bytes.collect::<Vec<u8>>().into()
        }
    })
}
