//! Lowering to operators of ONNX Runtime.
//!
//! Source of their definitions: ONNX Runtime, docs/ContribOperators.md.

use super::attention::Attentions;
use super::linear::Linears;
use super::{activation, embedding, l2_norm, short_convolution};
use crate::builder::Builder;
use crate::graph::Graph;
use crate::onnx::NodeProto;
use crate::operators::{
    ACTIVATION, ATTENTION, CONTRIB_DOMAIN, DOMAIN, EMBEDDING, L2_NORMALIZE, LAYER_NORMALIZATION,
    LINEAR, POOLED_LINEAR, RMS_NORMALIZE, SHORT_CONVOLUTION,
};

/// The operators that run what was fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operators {
    /// ONNX Runtime's own: `MultiHeadAttention`, `RotaryEmbedding`, `Gelu` and
    /// `QuickGelu` of `com.microsoft`, `SimplifiedLayerNormalization`, and standard
    /// ones for quantization. Every library of ONNX Runtime runs the graph.
    Contrib,
    /// Our own for attention, embeddings, linear layers and normalizations,
    /// which have to be registered with a session, and ONNX Runtime's for the
    /// rest.
    Kernels,
}

/// Replaces fused operators by those that ONNX Runtime runs. Embeddings and
/// linear layers are replaced by standard operators unless they were packed
/// before.
pub fn for_onnxruntime(graph: &mut Graph, operators: Operators) {
    let mut builder = Builder::new(graph);
    let mut attentions = Attentions::default();
    let mut linears = Linears::default();
    let nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &nodes {
        let is_ours = node.domain.as_deref() == Some(DOMAIN);
        let is_kernel = matches!(
            node.op_type.as_deref(),
            Some(ATTENTION | L2_NORMALIZE | RMS_NORMALIZE | SHORT_CONVOLUTION)
        );
        let is_lowered = operators == Operators::Contrib || !is_kernel;
        match node.op_type.as_deref().filter(|_| is_ours && is_lowered) {
            Some(LINEAR | POOLED_LINEAR) => linears.lower(node, &mut builder),
            Some(ATTENTION) => attentions.lower(node, &mut builder),
            Some(EMBEDDING) => embedding::lower(node, graph, &mut builder),
            Some(L2_NORMALIZE) => l2_norm::lower(node, &mut builder),
            Some(SHORT_CONVOLUTION) => short_convolution::lower(node, graph, &mut builder),
            Some(ACTIVATION) => activation::lower(node, &mut builder),
            Some(RMS_NORMALIZE) => rms_norm(node, &mut builder),
            _ if operators == Operators::Kernels && is_row_normalization(node) => {
                let mut kernel = node.clone();
                kernel.domain = Some(DOMAIN.to_owned());
                kernel.op_type = Some(LAYER_NORMALIZATION.to_owned());
                builder.push(kernel);
            }
            _ => builder.push(node.clone()),
        }
    }
    builder.into_graph(graph);
    graph.import(CONTRIB_DOMAIN, 1);
    if operators == Operators::Kernels {
        graph.import(DOMAIN, 1);
    }
}

/// Whether a node normalizes the last axis, and has one output.
fn is_row_normalization(node: &NodeProto) -> bool {
    node.is("LayerNormalization") && node.int("axis", -1) == -1 && node.output.len() == 1
}

/// The operator that every ONNX Runtime has, outside of the standard but in its
/// domain.
fn rms_norm(norm: &NodeProto, builder: &mut Builder) {
    let mut lowered = norm.clone();
    lowered.op_type = Some("SimplifiedLayerNormalization".to_owned());
    lowered.domain = None;
    builder.push(lowered.with_int("axis", -1));
}
