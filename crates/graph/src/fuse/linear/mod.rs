//! Linear layers, and what is computed on the way out.

mod epilogue;
mod product;

use super::super::Graph;
use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::trace::Trace;
use super::layer_norm::other;
use super::{BATCH, DOMAIN, LENGTH, Links, Replacement};
use epilogue::{Layer, added};
use product::Site;

/// `Linear` in place of the nodes around a product of rows and constant
/// weights.
///
/// `Linear(x, weights, scales?, zero_points?, bias?, residual?, smoothing?)`:
/// `activation((x * smoothing) @ weights + bias) + residual`. Rows are `[...,
/// inner]`, weights `[inner, outer]` of floats, or of 8 bits where there are
/// scales: then the matrix is `(weights - zero_points) * scales`, with one scale
/// and zero point for all or one a column, and columns of `x` may have a factor
/// each. Attributes: `transposed`, 1 where weights are `[outer, inner]`;
/// `activation`, one of `none`, `gelu`, `gelu_tanh`, `gated_gelu` and
/// `gated_gelu_tanh`; a gate multiplies the activation of the first half of the
/// columns by the second.
///
/// With weights of 8 bits, rows are quantized each by its own range, which the
/// published graph does all at once; see `kernels::Granularity`.
pub(super) fn find(
    graph: &Graph,
    links: &Links<'_>,
    trace: &Trace<'_>,
    product: &NodeProto,
) -> Option<Replacement> {
    let site = Site { graph, links };
    let matrix = site.matrix(product)?;
    let (inner, outer) = match (
        site.constant(matrix.weights)?.dims.as_slice(),
        matrix.transposed,
    ) {
        (&[inner, outer], false) | (&[outer, inner], true) => (inner, outer),
        _ => return None,
    };
    let (inner, columns) = (usize::try_from(inner).ok()?, usize::try_from(outer).ok()?);
    if inner == 0 || columns == 0 || trace.shape(matrix.x)?.last() != Some(&inner) {
        return None;
    }
    let mut layer = Layer {
        output: matrix.output,
        bias: matrix.bias,
        residual: "",
        activation: "none",
    };
    if layer.bias.is_empty()
        && let Some((bias, sum)) = added(links, layer.output)
        && site.is_row(bias, outer)
    {
        layer.bias = bias;
        layer.output = sum;
    }
    layer.activate(links, trace, columns);
    layer.add_residual(links, trace);

    let mut inputs = vec![
        matrix.x,
        matrix.weights,
        matrix.scales,
        matrix.zeros,
        layer.bias,
        layer.residual,
        matrix.smoothing,
    ];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let mut fused =
        node("Linear", DOMAIN, &inputs, &[layer.output]).with_text("activation", layer.activation);
    if matrix.transposed {
        fused = fused.with_int("transposed", 1);
    }
    Some(Replacement {
        output: layer.output.to_owned(),
        nodes: vec![fused],
    })
}

/// Whether it is a linear layer with weights of 8 bits: floats have no scales.
pub(in super::super) fn is_quantized(node: &NodeProto) -> bool {
    node.is_ours("Linear") && node.input.get(2).is_some_and(|scales| !scales.is_empty())
}

pub(super) fn is_gated(layer: &NodeProto) -> bool {
    layer.text("activation").starts_with("gated")
}
