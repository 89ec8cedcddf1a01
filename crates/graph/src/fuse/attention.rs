//! Attention over all heads.

use std::collections::HashSet;

use ndarray::{Array3, Array4};

use super::layout::{Converter, Layout, Rows};
use super::mask::{Probes, Term};
use super::projection::{self, Heads, Projection};
use super::{BATCH, LENGTH, Replacement};
use crate::graph::Graph;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::{ATTENTION, DOMAIN};
use crate::trace::{Operands, Tensor, Trace};

/// Sets `quantized` where quantized layers compute queries, keys and values.
pub(super) fn mark_quantized(graph: &mut Graph) {
    let nodes = graph.nodes().iter();
    let layers = nodes.filter(|node| node.is_quantized_linear());
    let outputs: HashSet<String> = layers.flat_map(|layer| layer.output.clone()).collect();
    for node in &mut graph.proto_mut().node {
        let mut rows = node.input.iter().take(3);
        if node.is_ours(ATTENTION) && rows.all(|rows| outputs.contains(rows)) {
            *node = std::mem::take(node).with_int("quantized", 1);
        }
    }
}

/// [`ATTENTION`] in place of the nodes around a softmax, from the projected rows
/// of queries, keys and values to the rows of all heads.
pub(super) fn find(
    trace: &Trace<'_>,
    probes: &Probes<'_>,
    softmax: &NodeProto,
) -> Option<Replacement> {
    let index = trace.index();
    if !softmax.is("Softmax") {
        return None;
    }
    let weights = softmax.output.first()?;
    let &[batch, heads, length, other] = trace.shape(weights)? else {
        return None;
    };
    let default_axis = if index.graph().opset() < 13 { 1 } else { -1 };
    let axis = softmax.int("axis", default_axis);
    if (batch, length, other) != (BATCH, LENGTH, LENGTH) || !(axis == -1 || axis == 3) {
        return None;
    }
    let guarded = guarded(trace, weights);
    let weights = guarded.unwrap_or(weights);
    let context = index.reader(weights).filter(|node| node.is("MatMul"))?;
    let [factor, values] = context.input.as_slice() else {
        return None;
    };
    let scores = scores(trace, softmax.input.first()?)?;
    let [queries, keys] = scores.product.input.as_slice() else {
        return None;
    };
    let queries = projection::find(trace, queries, Heads::Plain)?;
    let keys = projection::find(trace, keys, Heads::Transposed)?;
    let values = projection::find(trace, values, Heads::Plain)?;
    if factor != weights
        || queries.rotary != keys.rotary
        || values.rotary.is_some()
        || values.scale != 1.
    {
        return None;
    }
    let mask = if scores.terms.is_empty() {
        None
    } else {
        Some(probes.mask(&scores.terms)?)
    };
    let columns = *trace.shape(context.output.first()?)?.last()?;
    let merged = merged_heads(trace, context.output.first()?, [heads, columns])?;

    let mut converter = Converter::new(&merged.value);
    let projections = [&queries, &keys, &values];
    let rows = projections.map(|projection| converter.batch_first(&projection.rows));
    let mut inputs: Vec<&str> = rows.iter().map(String::as_str).collect();
    inputs.push(if mask.is_some() { "attention_mask" } else { "" });
    if let Some(rotary) = &queries.rotary {
        inputs.extend([rotary.cos.as_str(), rotary.sin.as_str()]);
    }
    let fill = mask.map_or(0., |mask| mask.fill);
    let window = mask.and_then(|mask| mask.window);
    // Our operator gives zeros for tokens that see none; without a guard, they
    // are NaN.
    if fill == f32::NEG_INFINITY && guarded.is_none() && window.is_some() {
        return None;
    }
    let is_interleaved = queries
        .rotary
        .as_ref()
        .is_some_and(|rotary| rotary.interleaved);
    let of_each = |size: fn(&Projection) -> usize| projections.map(|rows| size(rows) as i64);
    let output = if merged.layout == Layout::BatchLength {
        merged.value.clone()
    } else {
        format!("{}.batch_first", merged.value)
    };
    let attention = node(ATTENTION, DOMAIN, &inputs, &[&output])
        .with_int("heads", heads as i64)
        .with_float("scale", scores.scale * queries.scale * keys.scale)
        .with_int("window", window.map_or(0, |window| window as i64))
        .with_float("fill", fill)
        .with_int("columns", columns as i64)
        .with_int("interleaved", i64::from(is_interleaved))
        .with_ints("offsets", &of_each(|projection| projection.offset))
        .with_ints("widths", &of_each(|projection| projection.rows.width));
    converter.nodes.push(attention);
    converter.convert_to(&merged, &output);
    let nodes = converter.nodes;
    Some(Replacement {
        output: merged.value,
        nodes,
    })
}

/// Whether a node of a replacement has rotary embedding; no other node of one
/// has as many inputs.
pub(super) fn is_rotary(node: &NodeProto) -> bool {
    node.input.len() > 4
}

pub(super) fn is_windowed(node: &NodeProto) -> bool {
    node.int("window", 0) > 0
}

/// The output of the guard `Where(IsNaN(weights), 0, weights)`, if there is one.
fn guarded<'g>(trace: &Trace<'g>, weights: &str) -> Option<&'g String> {
    let index = trace.index();
    let readers = index.readers(weights).iter();
    let mut nodes = readers.filter_map(|&at| index.node(at));
    let guard = nodes.find(|node| node.is("Where"))?;
    let [condition, zero, kept] = guard.input.as_slice() else {
        return None;
    };
    let test = index.made_by(condition, "IsNaN")?;
    let is_guard = test.input.first().map(String::as_str) == Some(weights)
        && kept == weights
        && trace.get(zero)?.uniform() == Some(0.)
        && index.readers(weights).len() == 2;
    guard.output.first().filter(|_| is_guard)
}

/// Scores as a product of queries and keys.
struct Scores<'g> {
    product: &'g NodeProto,
    scale: f32,
    terms: Vec<Term>,
}

fn scores<'g>(trace: &Trace<'g>, value: &str) -> Option<Scores<'g>> {
    let mut node = trace.index().producer(value)?;
    let mut scale = 1.;
    let mut terms = Vec::new();
    // Exporters write a handful of nodes; the bound guards against cycles.
    for _ in 0..16 {
        let value = match (node.op_type.as_deref()?, node.input.as_slice()) {
            ("MatMul", [_, _]) => {
                return Some(Scores {
                    product: node,
                    scale,
                    terms,
                });
            }
            ("Cast" | "Identity", [inner]) => inner,
            ("Add", operands) => {
                let Operands { opaque, known } = trace.operands(operands)?;
                // The mask would be scaled with the scores.
                if scale != 1. {
                    return None;
                }
                terms.push(Term::Added(known.to_owned()));
                opaque
            }
            ("Mul", operands) => {
                let Operands { opaque, known } = trace.operands(operands)?;
                scale *= trace.get(known)?.uniform()?;
                opaque
            }
            ("Div", [scores, divisor]) => {
                scale /= trace.get(divisor)?.uniform()?;
                scores
            }
            ("Where", [condition, choice @ ..]) if !trace.is_opaque(condition) && scale == 1. => {
                let Operands { opaque, known } = trace.operands(choice)?;
                terms.push(Term::Selected {
                    condition: condition.clone(),
                    // The first operand is taken where the condition holds.
                    keeps: choice.first().is_some_and(|first| first == opaque),
                    fill: trace.get(known)?.uniform()?,
                });
                opaque
            }
            _ => return None,
        };
        node = trace.index().producer(value)?;
    }
    None
}

/// Finds the rows of all heads side by side that `context`, `[batch, heads,
/// length, columns]`, is moved to.
fn merged_heads(trace: &Trace<'_>, context: &str, [heads, columns]: [usize; 2]) -> Option<Rows> {
    let width = heads * columns;
    let mut value = context;
    for _ in 0..8 {
        let shape = trace.shape(value)?;
        if shape.last() == Some(&width) && !Layout::candidates(shape).is_empty() {
            break;
        }
        value = trace.index().data_reader(value)?.output.first()?;
    }
    let numbers = Array4::from_shape_vec(
        (BATCH, heads, LENGTH, columns),
        (0..BATCH * LENGTH * width).map(|at| at as f32).collect(),
    )
    .ok()?;
    let base = Tensor::Float(numbers.clone().into_dyn());
    let Tensor::Float(found) = trace.replay(value, context, base)? else {
        return None;
    };
    let rows = Array3::from_shape_fn((BATCH, LENGTH, width), |(text, row, at)| {
        numbers[[text, at / columns, row, at % columns]]
    });
    let mut layouts = Layout::candidates(trace.shape(value)?).iter();
    let is_found = |layout: &&Layout| layout.arrange(&rows).is_some_and(|rows| rows == found);
    Some(Rows {
        layout: *layouts.find(is_found)?,
        value: value.to_owned(),
        width,
    })
}
