//! Operators that stand for several others, taken apart.
//!
//! Newer operator sets have attention and rotary embedding as one operator each,
//! and ONNX Runtime's optimizer puts larger operators of its own domain into the
//! graphs that it writes. Both are brought to the operators that exporters
//! write, so that later passes and engines know one form.

mod activation;
mod attention;
mod call;
mod dot_product;
mod embedding;
mod group_query;
mod key_mask;
mod multi_head;
mod normalization;
mod packed_attention;
mod product;
mod quantized;
mod rotary;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::builder::Builder;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::CONTRIB_DOMAIN;
use crate::trace::Trace;
use call::Call;

/// The shape that ranks and sizes are read from, which no model has by chance.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// Adds the nodes of an operator and returns the values of its outputs, empty
/// where one is not computed. `None`, before any node, for a form of the
/// operator that is not taken apart.
type Expand = fn(&mut Call<'_>) -> Option<Vec<String>>;

/// Puts standard operators in place of those that stand for several. Forms that
/// are not known stay, and so do operators whose shapes cannot be traced.
///
/// Values are the same but for rounding, for texts whose padding is behind
/// their tokens. Operators of ONNX Runtime that count the tokens of each text
/// instead of reading the mask are made to read it.
pub fn expand_composites(graph: &mut Graph) -> bool {
    if graph.has_control_flow() || !graph.nodes().iter().any(|node| find(node).is_some()) {
        return false;
    }
    let mut is_changed = false;
    let mut builder = Builder::new(graph);
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let mut heads = HashMap::new();
    for node in graph.nodes() {
        let mut call = Call {
            node,
            trace: &trace,
            builder: &mut builder,
            heads: &mut heads,
        };
        let outputs = find(node).and_then(|expand| expand(&mut call));
        match outputs.filter(|outputs| call.is_covered(outputs)) {
            Some(outputs) => {
                is_changed = true;
                name(&mut builder, node, &outputs);
            }
            None => builder.push(node.clone()),
        }
    }
    if is_changed {
        builder.into_graph(graph);
        graph.remove_dead_nodes();
        graph.remove_unused_initializers();
    }
    is_changed
}

/// Gives values the names of a node's outputs.
fn name(builder: &mut Builder, of: &NodeProto, values: &[String]) {
    for (output, value) in of.output.iter().zip(values) {
        let is_given = !output.is_empty() && !value.is_empty();
        if is_given && !builder.rename_value(value, output) {
            builder.push(node("Identity", "", &[value], &[output]));
        }
    }
}

fn find(node: &NodeProto) -> Option<Expand> {
    let name = node.op_type.as_deref()?;
    match node.domain.as_deref().unwrap_or_default() {
        "" | "ai.onnx" => standard(name),
        CONTRIB_DOMAIN => contrib(name),
        _ => None,
    }
}

fn standard(name: &str) -> Option<Expand> {
    Some(match name {
        "Attention" => attention::attention,
        "RotaryEmbedding" => rotary::standard,
        // Of ONNX Runtime, in spite of its domain.
        "SimplifiedLayerNormalization" => normalization::simplified,
        "Swish" => activation::swish,
        _ => return None,
    })
}

fn contrib(name: &str) -> Option<Expand> {
    Some(match name {
        "Attention" => packed_attention::attention,
        "BiasGelu" => activation::bias_gelu,
        "DynamicQuantizeMatMul" => quantized::dynamic_quantize_matmul,
        "EmbedLayerNormalization" => embedding::embed,
        "FastGelu" => activation::fast_gelu,
        "FusedGemm" => product::fused_gemm,
        "FusedMatMul" | "TransposeMatMul" => product::fused_matmul,
        "GroupQueryAttention" => group_query::attention,
        "MatMulIntegerToFloat" => quantized::matmul_integer_to_float,
        "MultiHeadAttention" => multi_head::attention,
        "QAttention" => packed_attention::quantized,
        "QEmbedLayerNormalization" => embedding::embed_quantized,
        "QuickGelu" => activation::quick_gelu,
        "RotaryEmbedding" => rotary::contrib,
        "SimplifiedLayerNormalization" => normalization::simplified,
        "SkipLayerNormalization" => normalization::skip,
        "SkipSimplifiedLayerNormalization" => normalization::skip_simplified,
        _ => return None,
    })
}
