//! The operators that ONNX Runtime adds to the standard ones.
//!
//! Their definitions: ONNX Runtime, docs/ContribOperators.md.

use std::collections::HashMap;

use super::super::fuse::DOMAIN;
use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::{CONTRIB, Graph};
use super::masks::Masks;
use super::parts::Parts;
use super::{l2_norm, linear, tables};

/// The operator that stands for `LayerNormalization` over the last axis where
/// the kernels run; inputs and `epsilon` are the same.
pub const KERNEL_NORMALIZATION: &str = "LayerNormalization";

/// The operator of L2 normalization, see [`fuse`](super::super::fuse()).
pub const L2_NORMALIZE: &str = "L2Normalize";

/// Whose operators run what was fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operators {
    /// ONNX Runtime's own: `MultiHeadAttention`, `RotaryEmbedding` and `Gelu`
    /// of `com.microsoft`, and the standard ones of quantization. Every
    /// library of ONNX Runtime runs such a graph.
    Contrib,
    /// This project's for attention, embeddings, linear layers and
    /// normalizations, which have to be registered with a session; the rest is
    /// ONNX Runtime's.
    Kernels,
}

/// Puts operators that ONNX Runtime runs in place of fused ones.
pub fn for_onnxruntime(graph: &mut Graph, operators: Operators) {
    let mut parts = Parts::new(graph);
    let mut masks = Masks::default();
    let mut angles = HashMap::new();
    let mut levels = HashMap::new();
    let nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &nodes {
        let is_ours = node.domain.as_deref() == Some(DOMAIN);
        let is_kernel = matches!(node.op_type.as_deref(), Some("Attention" | L2_NORMALIZE));
        let is_lowered = operators == Operators::Contrib || !is_kernel;
        match node.op_type.as_deref().filter(|_| is_ours && is_lowered) {
            Some("Linear") => linear::lower(node, &mut parts, &mut levels),
            Some("Attention") => attention(node, &mut parts, &mut masks, &mut angles),
            Some("Embedding") => tables::lower(node, graph, &mut parts),
            Some(L2_NORMALIZE) => l2_norm::lower(node, &mut parts),
            Some("Gelu") => gelu(node, &mut parts),
            _ if operators == Operators::Kernels && is_row_normalization(node) => {
                let mut kernel = node.clone();
                kernel.domain = Some(DOMAIN.to_owned());
                kernel.op_type = Some(KERNEL_NORMALIZATION.to_owned());
                parts.push(kernel);
            }
            _ => parts.push(node.clone()),
        }
    }
    parts.into_graph(graph);
    graph.import(CONTRIB, 1);
    if operators == Operators::Kernels {
        graph.import(DOMAIN, 1);
    }
}

/// Over the last axis, and with no more than one result.
fn is_row_normalization(node: &NodeProto) -> bool {
    node.is("LayerNormalization") && node.int("axis", -1) == -1 && node.output.len() == 1
}

fn gelu(gelu: &NodeProto, parts: &mut Parts) {
    let operator = match gelu.text("approximate") {
        "tanh" => "FastGelu",
        _ => "Gelu",
    };
    let mut lowered = gelu.clone();
    lowered.op_type = Some(operator.to_owned());
    lowered.domain = Some(CONTRIB.to_owned());
    lowered.attribute.clear();
    parts.push(lowered);
}

/// Rows of queries, keys and values, cut out of those that hold more.
fn cut(attention: &NodeProto, parts: &mut Parts) -> [String; 3] {
    let inputs: [&str; 3] =
        std::array::from_fn(|at| attention.input.get(at).map_or("", String::as_str));
    let of = |name: &str, at: usize| attention.ints(name).and_then(|all| all.get(at)).copied();
    let width = attention.int("heads", 1) * attention.int("columns", 0);
    let ranges: [(i64, i64); 3] = std::array::from_fn(|at| {
        (
            of("offsets", at).unwrap_or(0),
            of("widths", at).unwrap_or(width),
        )
    });
    let is_packed = inputs.iter().all(|&rows| rows == inputs[0])
        && ranges == [0, 1, 2].map(|at| (at * width, 3 * width));
    if is_packed {
        let outputs: [String; 3] = std::array::from_fn(|_| parts.unique("Split"));
        let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let sizes = [width; 3];
        let split = if parts.opset() < 13 {
            node("Split", "", &inputs[..1], &names).with_ints("split", &sizes)
        } else {
            let sizes = parts.ints(&sizes);
            node("Split", "", &[inputs[0], &sizes], &names)
        };
        parts.push(split.with_int("axis", -1));
        return outputs;
    }
    std::array::from_fn(|at| {
        let (start, of) = ranges[at];
        if (start, of) == (0, width) {
            return inputs[at].to_owned();
        }
        let (first, last, axis) = (
            parts.ints(&[start]),
            parts.ints(&[start + width]),
            parts.ints(&[-1]),
        );
        parts.add("Slice", &[inputs[at], &first, &last, &axis])
    })
}

fn attention(
    attention: &NodeProto,
    parts: &mut Parts,
    masks: &mut Masks,
    tables: &mut HashMap<String, String>,
) {
    let input = |at: usize| attention.input.get(at).map_or("", String::as_str);
    let [mut queries, mut keys, values] = cut(attention, parts);
    if !input(4).is_empty() {
        let interleaved = attention.int("interleaved", 0);
        let columns = attention.int("columns", 0);
        let [cos, sin] = [input(4), input(5)].map(|table| {
            tables
                .entry(table.to_owned())
                .or_insert_with(|| half(parts, table, columns, interleaved != 0))
                .clone()
        });
        let start = parts.ints(&[0]);
        for rows in [&mut queries, &mut keys] {
            let turned = parts.unique("RotaryEmbedding");
            parts.push(
                node(
                    "RotaryEmbedding",
                    CONTRIB,
                    &[rows, &start, &cos, &sin],
                    &[&turned],
                )
                .with_int("interleaved", interleaved),
            );
            *rows = turned;
        }
    }
    let (width, fill) = (attention.int("window", 0), attention.float("fill", 0.));
    let mask = input(3);
    let (mut padding, mut window) = (String::new(), None);
    if !mask.is_empty() && width > 0 {
        window = Some(masks.window(parts, mask, width, fill));
    } else if !mask.is_empty() {
        padding = masks.padding(parts, mask);
    }
    let bias = window.as_ref().map_or("", |window| window.bias.as_str());
    let sees_any = window
        .as_ref()
        .and_then(|window| window.sees_any.as_deref());
    let output = attention.output.concat();
    let context = match sees_any {
        Some(_) => parts.unique("MultiHeadAttention"),
        None => output.clone(),
    };
    parts.push(
        node(
            "MultiHeadAttention",
            CONTRIB,
            &[&queries, &keys, &values, "", &padding, bias],
            &[&context],
        )
        .with_int("num_heads", attention.int("heads", 1))
        .with_float("scale", attention.float("scale", 1.))
        .with_float(
            "mask_filter_value",
            if fill.is_finite() { fill } else { f32::MIN },
        ),
    );
    if let Some(sees_any) = sees_any {
        let zero = parts.float(0.);
        parts.push(node("Where", "", &[sees_any, &context, &zero], &[&output]));
    }
}

/// The first half of the columns of a table, or every second one: pairs of
/// columns are turned by the same angle.
fn half(parts: &mut Parts, table: &str, columns: i64, interleaved: bool) -> String {
    let shape = parts.ints(&[-1, columns]);
    let rows = parts.add("Reshape", &[table, &shape]);
    let (start, axis) = (parts.ints(&[0]), parts.ints(&[1]));
    let (end, step) = match interleaved {
        true => (columns, 2),
        false => (columns / 2, 1),
    };
    let (end, step) = (parts.ints(&[end]), parts.ints(&[step]));
    parts.add("Slice", &[&rows, &start, &end, &axis, &step])
}
