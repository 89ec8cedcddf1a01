//! The operators that ONNX Runtime adds to the standard ones.
//!
//! Their definitions: ONNX Runtime, docs/ContribOperators.md.

use std::collections::HashMap;

use super::super::Graph;
use super::super::fuse::DOMAIN;
use super::super::node::node;
use super::super::onnx::NodeProto;
use super::masks::Masks;
use super::parts::Parts;

const CONTRIB: &str = "com.microsoft";

/// Puts ONNX Runtime's operators in place of fused ones:
/// `MultiHeadAttention`, `RotaryEmbedding` and `Gelu` of `com.microsoft`.
pub fn for_onnxruntime(graph: &mut Graph) {
    let mut parts = Parts::new(graph);
    let mut masks = Masks::default();
    let mut tables = HashMap::new();
    let nodes = std::mem::take(&mut graph.proto_mut().node);
    let splits = splits(&nodes);
    for node in &nodes {
        let is_ours = node.domain.as_deref() == Some(DOMAIN);
        match node.op_type.as_deref().filter(|_| is_ours) {
            Some("Attention") => attention(node, &mut parts, &mut masks, &mut tables),
            Some("Columns") => columns(node, &mut parts, &splits),
            Some("Gelu") => gelu(node, &mut parts),
            _ => parts.push(node.clone()),
        }
    }
    parts.into_graph(graph);
    graph.import(CONTRIB, 1);
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

/// Values that are cut into equal columns without a rest, by the node that
/// makes the first cut.
fn splits(nodes: &[NodeProto]) -> HashMap<String, Vec<NodeProto>> {
    let mut cuts: HashMap<String, Vec<NodeProto>> = HashMap::new();
    let is_cut = |node: &&NodeProto| {
        node.domain.as_deref() == Some(DOMAIN) && node.op_type.as_deref() == Some("Columns")
    };
    for node in nodes.iter().filter(is_cut) {
        cuts.entry(node.input.concat())
            .or_default()
            .push(node.clone());
    }
    cuts.retain(|_, cuts| {
        let width = cuts[0].int("width", 0);
        let starts = cuts.iter().map(|cut| cut.int("start", 0));
        let count = cuts.len() as i64;
        count > 1
            && count * width == cuts[0].int("of", 0)
            && starts.eq((0..count).map(|at| at * width))
    });
    cuts
}

fn columns(cut: &NodeProto, parts: &mut Parts, splits: &HashMap<String, Vec<NodeProto>>) {
    let (start, width) = (cut.int("start", 0), cut.int("width", 0));
    let rows = cut.input.concat();
    if let Some(cuts) = splits.get(&rows) {
        if start == 0 {
            let outputs: Vec<&str> = cuts
                .iter()
                .flat_map(|cut| &cut.output)
                .map(String::as_str)
                .collect();
            let sizes = vec![width; cuts.len()];
            let split = if parts.opset() < 13 {
                node("Split", "", &[&rows], &outputs).with_ints("split", &sizes)
            } else {
                let sizes = parts.ints(&sizes);
                node("Split", "", &[&rows, &sizes], &outputs)
            };
            parts.push(split.with_int("axis", -1));
        }
        return;
    }
    let (start, end, axis) = (
        parts.ints(&[start]),
        parts.ints(&[start + width]),
        parts.ints(&[-1]),
    );
    let outputs: Vec<&str> = cut.output.iter().map(String::as_str).collect();
    parts.push(node("Slice", "", &[&rows, &start, &end, &axis], &outputs));
}

fn attention(
    attention: &NodeProto,
    parts: &mut Parts,
    masks: &mut Masks,
    tables: &mut HashMap<String, String>,
) {
    let input = |at: usize| attention.input.get(at).map_or("", String::as_str);
    let (mut queries, mut keys) = (input(0).to_owned(), input(1).to_owned());
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
            &[&queries, &keys, input(2), "", &padding, bias],
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
