//! Attention over all heads.

use std::collections::HashSet;

use ndarray::{Array3, Array4};

use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::trace::{Tensor, Trace};
use super::mask::{Probes, Term};
use super::projection::{self, Projection};
use super::rows::{Mover, Order};
use super::{BATCH, DOMAIN, LENGTH, Links, Replacement, linear};
use crate::Graph;

/// Says of each attention whether its rows come from quantized layers.
pub(super) fn mark_quantized(graph: &mut Graph) {
    let layers = graph
        .nodes()
        .iter()
        .filter(|node| linear::is_quantized(node));
    let made: HashSet<String> = layers.flat_map(|layer| layer.output.clone()).collect();
    for node in &mut graph.proto_mut().node {
        if node.is_ours("Attention") && node.input.iter().take(3).all(|rows| made.contains(rows)) {
            *node = std::mem::take(node).with_int("quantized", 1);
        }
    }
}

/// `Attention` in place of the nodes around a softmax, from the projected rows
/// of queries, keys and values to the rows of all heads.
///
/// `Attention(queries, keys, values, mask?, cos?, sin?)`: rows are `[batch,
/// length, widths[i]]`, of which `heads * columns` from `offsets[i]` on are
/// meant, the mask is `[batch, length]` of 64-bit
/// integers, 0 for tokens that are not attended to, the tables of rotary
/// embedding are values of the graph with `length * columns` elements for each
/// text. Attributes: `heads`, `columns` of each, `scale` of the scores,
/// `window`, how many positions tokens see to either side (0: all), `fill`,
/// what unseen scores are brought to, `interleaved`, whether rotary embedding
/// turns neighbours, `quantized`, whether all rows come from quantized layers.
/// Where `fill` is minus infinity, a token that sees nothing gets zeros.
pub(super) fn find(
    opset: i64,
    links: &Links<'_>,
    trace: &Trace<'_>,
    probes: &Probes<'_>,
    softmax: &NodeProto,
) -> Option<Replacement> {
    if !softmax.is("Softmax") {
        return None;
    }
    let &[batch, heads, length, other] = trace.shape(softmax.output.first()?)? else {
        return None;
    };
    let axis = softmax.int("axis", if opset < 13 { 1 } else { -1 });
    if (batch, length, other) != (BATCH, LENGTH, LENGTH) || !(axis == -1 || axis == 3) {
        return None;
    }
    let (weights, is_guarded) = behind_guard(links, trace, softmax.output.first()?);
    let context = links.reader(weights).filter(|node| node.is("MatMul"))?;
    if context.input.first().map(String::as_str) != Some(weights) {
        return None;
    }
    let scores = scores(links, trace, softmax.input.first()?)?;
    let queries = projection::find(links, trace, &scores.product.input[0], false)?;
    let keys = projection::find(links, trace, scores.product.input.get(1)?, true)?;
    let values = projection::find(links, trace, context.input.get(1)?, false)?;
    if queries.rotary != keys.rotary || values.rotary.is_some() || values.scale != 1. {
        return None;
    }
    let mask = match scores.terms.is_empty() {
        true => None,
        false => Some(probes.mask(&scores.terms)?),
    };
    let columns = *trace.shape(context.output.first()?)?.last()?;
    let (output, order) = merged(links, trace, context.output.first()?, heads, columns)?;

    let rows = [&queries, &keys, &values];
    let mut mover = Mover::new(output);
    let bases = rows.map(|rows| mover.by_text(&rows.base, rows.order, rows.width));
    let mut inputs: Vec<&str> = bases.iter().map(String::as_str).collect();
    inputs.push(if mask.is_some() { "attention_mask" } else { "" });
    if let Some(rotary) = &queries.rotary {
        inputs.extend([rotary.cos.as_str(), rotary.sin.as_str()]);
    }
    // A token that sees nothing: zeros behind a guard, or a finite fill.
    let fill = mask.map_or(0., |mask| mask.fill);
    if fill == f32::NEG_INFINITY && !is_guarded && mask.is_some_and(|mask| mask.window.is_some()) {
        return None;
    }
    let window = mask.and_then(|mask| mask.window);
    let interleaved = queries
        .rotary
        .as_ref()
        .is_some_and(|rotary| rotary.interleaved);
    let of_rows = |of: fn(&Projection) -> usize| rows.map(|rows| of(rows) as i64);
    let context = match order {
        Order::ByText => output.to_owned(),
        _ => format!("{output}.by_text"),
    };
    let attention = node("Attention", DOMAIN, &inputs, &[&context])
        .with_int("heads", heads as i64)
        .with_float("scale", scores.scale * queries.scale * keys.scale)
        .with_int("window", window.map_or(0, |window| window as i64))
        .with_float("fill", fill)
        .with_int("columns", columns as i64)
        .with_int("interleaved", i64::from(interleaved))
        .with_ints("offsets", &of_rows(|rows| rows.offset))
        .with_ints("widths", &of_rows(|rows| rows.width));
    mover.nodes.push(attention);
    mover.put_in_order(&context, order, heads * columns, output);
    Some(Replacement {
        output: output.to_owned(),
        nodes: mover.nodes,
    })
}

/// Whether an `Attention` turns queries and keys; no other node that replaces
/// one has as many inputs.
pub(super) fn is_rotary(attention: &NodeProto) -> bool {
    attention.input.len() > 4
}

pub(super) fn is_windowed(attention: &NodeProto) -> bool {
    attention.int("window", 0) > 0
}

/// The weights behind `Where(IsNaN(weights), 0, weights)`, and whether there
/// is such a guard.
fn behind_guard<'g>(links: &Links<'g>, trace: &Trace<'_>, weights: &'g str) -> (&'g str, bool) {
    let guard = || {
        let readers = links.readers(weights).iter();
        let mut nodes = readers.filter_map(|&at| links.nodes.get(at));
        let guard = nodes.find(|node| node.is("Where"))?;
        let [condition, zero, kept] = guard.input.as_slice() else {
            return None;
        };
        let test = links.producer(condition).filter(|node| node.is("IsNaN"))?;
        let is_guard = test.input.first().map(String::as_str) == Some(weights)
            && kept == weights
            && trace.get(zero)?.uniform() == Some(0.)
            && links.readers(weights).len() == 2;
        guard.output.first().filter(|_| is_guard)
    };
    match guard() {
        Some(output) => (output, true),
        None => (weights, false),
    }
}

/// Scores as a product of queries and keys.
struct Scores<'g> {
    product: &'g NodeProto,
    scale: f32,
    terms: Vec<Term>,
}

fn scores<'g>(links: &Links<'g>, trace: &Trace<'_>, value: &'g str) -> Option<Scores<'g>> {
    let mut value = value;
    let mut scale = 1.;
    let mut terms = Vec::new();
    // A handful of nodes; the bound guards against cycles.
    for _ in 0..16 {
        let node = links.producer(value)?;
        match (node.op_type.as_deref()?, node.input.as_slice()) {
            ("MatMul", [_, _]) => {
                return Some(Scores {
                    product: node,
                    scale,
                    terms,
                });
            }
            ("Cast" | "Identity", [inner]) => value = inner,
            ("Add", operands) => {
                let (scores, mask) = trace.operands(operands)?;
                // A mask that is scaled with the scores is none we know.
                if scale != 1. {
                    return None;
                }
                terms.push(Term::Added(mask.clone()));
                value = scores;
            }
            ("Mul", operands) => {
                let (scores, factor) = trace.operands(operands)?;
                scale *= trace.get(factor)?.uniform()?;
                value = scores;
            }
            ("Div", [scores, divisor]) => {
                scale /= trace.get(divisor)?.uniform()?;
                value = scores;
            }
            ("Where", [condition, choice @ ..]) if !trace.is_opaque(condition) && scale == 1. => {
                let (scores, fill) = trace.operands(choice)?;
                // The first is taken where the condition holds.
                let keeps = trace.is_opaque(&choice[0]);
                terms.push(Term::Chosen {
                    condition: condition.clone(),
                    keeps,
                    fill: trace.get(fill)?.uniform()?,
                });
                value = scores;
            }
            _ => return None,
        }
    }
    None
}

/// The rows of all heads side by side that `context`, `[batch, heads, length,
/// columns]`, is moved to, and their order.
fn merged<'g>(
    links: &Links<'g>,
    trace: &Trace<'_>,
    context: &'g str,
    heads: usize,
    columns: usize,
) -> Option<(&'g str, Order)> {
    let width = heads * columns;
    let mut value = context;
    for _ in 0..8 {
        let shape = trace.shape(value)?;
        if shape.last() == Some(&width) && !Order::of_shape(shape).is_empty() {
            break;
        }
        value = links.data_reader(value)?.output.first()?;
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
    let orders = Order::of_shape(trace.shape(value)?).iter();
    let mut orders = orders.filter(|order| order.arrange(&rows).is_some_and(|rows| rows == found));
    Some((value, *orders.next()?))
}
