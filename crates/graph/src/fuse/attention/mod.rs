//! Attention over all heads.

mod bias;
mod context;
mod head_norm;
mod layout;
mod mask;
mod nodes;
mod origins;
mod probes;
mod projection;
mod region;
mod rotary;
mod scores;
mod sight;
mod sources;
mod terms;

use std::collections::HashSet;

use super::{BATCH, LENGTH, Replacement};
use crate::graph::Graph;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::{ATTENTION, DOMAIN};
use crate::trace::Trace;
use context::Context;
use head_norm::HeadNorm;
use layout::{Converter, Layout};
use nodes::Nodes;
use probes::Changes;
pub(super) use probes::Probes;
use projection::{Order, Projection, Wanted};
use scores::Scores;

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
pub(super) fn find<'g>(
    trace: &Trace<'g>,
    probes: &Probes<'g>,
    softmax: &'g NodeProto,
) -> Option<Replacement> {
    let found = Found::at(trace, probes, softmax)?;
    let heads = found.context.heads;
    let mut nodes = Nodes::new(&found.context.rows.value, trace.index().graph().opset());
    let [queries, keys, _] = &found.projections;
    let bias = match found.changes.biases.as_slice() {
        [] => None,
        biases => Some(bias::find(probes, biases, heads, &mut nodes)?),
    };
    let tables = queries.rotary.as_ref();
    let tables = tables.map(|rotary| rotary.tables(trace, &mut nodes));
    let [query_norm, key_norm] =
        [queries, keys].map(|projection| scale(probes, projection.norm.as_ref(), &mut nodes));

    let rows = &found.context.rows;
    let mut converter = Converter::new(&rows.value);
    let projections = found.projections.each_ref();
    let operands = projections.map(|projection| projection.operand(&mut converter));
    let mask = found.changes.mask;
    let hides_padding = mask.is_some_and(|mask| mask.hides_padding);
    let mut inputs: Vec<&str> = operands.iter().map(String::as_str).collect();
    inputs.push(if hides_padding { "attention_mask" } else { "" });
    let optional = |value: &'_ Option<String>| value.as_deref().unwrap_or("").to_owned();
    let [cos, sin] = tables.unwrap_or_default();
    let bias_value = optional(&bias.as_ref().map(|bias| bias.value.clone()));
    let (query_norm, key_norm) = (optional(&query_norm), optional(&key_norm));
    inputs.extend([&cos, &sin, &query_norm, &key_norm, &bias_value].map(String::as_str));
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let output = if rows.layout == Layout::BatchLength {
        rows.value.clone()
    } else {
        format!("{}.batch_first", rows.value)
    };
    let attention = found.attributes(node(ATTENTION, DOMAIN, &inputs, &[&output]));
    let is_relative = bias.as_ref().is_some_and(|bias| bias.is_relative);
    nodes.all.append(&mut converter.nodes);
    nodes.push(attention.with_int("relative", i64::from(is_relative)));
    converter.convert_to(rows, &output);
    nodes.all.append(&mut converter.nodes);
    Some(Replacement {
        output: rows.value.clone(),
        nodes: nodes.all,
    })
}

pub(super) fn is_attention(node: &NodeProto) -> bool {
    node.is_ours(ATTENTION)
}

/// Whether an attention has the input at that position.
fn has_input(node: &NodeProto, at: usize) -> bool {
    is_attention(node) && node.input.get(at).is_some_and(|name| !name.is_empty())
}

pub(super) fn is_rotary(node: &NodeProto) -> bool {
    has_input(node, 4)
}

pub(super) fn is_windowed(node: &NodeProto) -> bool {
    is_attention(node) && (node.int("before", -1) >= 0 || node.int("after", -1) > 0)
}

pub(super) fn is_causal(node: &NodeProto) -> bool {
    is_attention(node) && node.int("after", -1) == 0
}

pub(super) fn is_grouped(node: &NodeProto) -> bool {
    is_attention(node) && node.int("key_heads", 0) != node.int("heads", 0)
}

pub(super) fn has_head_norms(node: &NodeProto) -> bool {
    has_input(node, 6) || has_input(node, 7)
}

pub(super) fn has_bias(node: &NodeProto) -> bool {
    has_input(node, 8)
}

/// An attention of the graph.
struct Found<'g> {
    scores: Scores<'g>,
    changes: Changes,
    /// Queries, keys and values.
    projections: [Projection; 3],
    context: Context,
}

impl<'g> Found<'g> {
    fn at(trace: &Trace<'g>, probes: &Probes<'g>, softmax: &'g NodeProto) -> Option<Self> {
        if !softmax.is("Softmax") {
            return None;
        }
        let weights = softmax.output.first()?;
        let shape = trace.shape(weights)?;
        let [axes @ .., LENGTH, LENGTH] = shape else {
            return None;
        };
        let opset = trace.index().graph().opset();
        let axis = softmax.int("axis", if opset < 13 { 1 } else { -1 });
        let heads = axes.iter().product::<usize>() / BATCH;
        let is_attention = (axis == -1 || axis == axes.len() as i64 + 1)
            && heads > 0
            && axes.iter().product::<usize>() == heads * BATCH;
        is_attention.then_some(())?;
        let context = context::find(trace, weights, heads)?;
        let scores = scores::find(trace, probes.origins(), softmax.input.first()?)?;
        let product = scores.product;
        let size = |value: &str| Some(trace.shape(value)?.iter().product::<usize>());
        let [queries, keys] = product.input.as_slice() else {
            return None;
        };
        let [.., last] = trace.shape(queries)? else {
            return None;
        };
        let is_whole = size(product.output.first()?)? == size(weights)? && *last == context.columns;
        is_whole.then_some(())?;
        // Axes may be arranged in another way between both products.
        let axes_of = |product: &NodeProto| {
            let shape = trace.shape(product.output.first()?)?;
            Some(&shape[..shape.len().checked_sub(2)?])
        };
        let find = |value: &'g str, axes, order| {
            let columns = context.columns;
            let wanted = Wanted {
                axes,
                columns,
                order,
            };
            projection::find(probes, value, wanted)
        };
        let of_scores = axes_of(product)?;
        let queries = find(queries, of_scores, Order::Plain)?;
        let keys = find(keys, of_scores, Order::Transposed)?;
        let values = find(
            context.values(trace)?,
            axes_of(context.product(trace)?)?,
            Order::Plain,
        )?;
        let fits = queries.rotary == keys.rotary
            && values.rotary.is_none()
            && values.norm.is_none()
            && values.scale == 1.
            && queries.heads == heads
            && values.heads == keys.heads;
        fits.then_some(())?;
        let changes = probes.changes(&scores.terms, heads)?;
        let found = Self {
            scores,
            changes,
            projections: [queries, keys, values],
            context,
        };
        found.has_numbers_for_all().then_some(found)
    }

    /// Our operator gives zeros for tokens that see none; without a guard, they
    /// are NaN. The first tokens of a text see themselves.
    fn has_numbers_for_all(&self) -> bool {
        self.context.is_guarded
            || self
                .changes
                .mask
                .is_none_or(|mask| mask.fill != f32::NEG_INFINITY || mask.sight.before.is_none())
    }

    fn attributes(&self, attention: NodeProto) -> NodeProto {
        let [queries, keys, _] = &self.projections;
        let mask = self.changes.mask;
        let sight = mask.map(|mask| mask.sight).unwrap_or_default();
        let positions = |side: Option<usize>| side.map_or(-1, |side| side as i64);
        let epsilon = |norm: &Option<HeadNorm>| norm.as_ref().map_or(0., |norm| norm.epsilon);
        let is_interleaved = queries
            .rotary
            .as_ref()
            .is_some_and(|rotary| rotary.interleaved);
        let rotated = queries.rotary.as_ref().map_or(0, |rotary| rotary.columns);
        let of_each = |size: fn(&Projection) -> usize| {
            self.projections.each_ref().map(|rows| size(rows) as i64)
        };
        attention
            .with_int("heads", self.context.heads as i64)
            .with_int("key_heads", keys.heads as i64)
            .with_int("columns", self.context.columns as i64)
            .with_ints("offsets", &of_each(Projection::first_column))
            .with_ints("widths", &of_each(|projection| projection.rows.width))
            .with_float("scale", self.scores.scale * queries.scale * keys.scale)
            .with_int("before", positions(sight.before))
            .with_int("after", positions(sight.after))
            .with_float("softcap", self.scores.softcap.unwrap_or(0.))
            .with_float("fill", mask.map_or(0., |mask| mask.fill))
            .with_int("rotated", rotated as i64)
            .with_int("interleaved", i64::from(is_interleaved))
            .with_float("query_epsilon", epsilon(&queries.norm))
            .with_float("key_epsilon", epsilon(&keys.norm))
    }
}

/// The value of a norm's scale, `[columns]`.
fn scale(probes: &Probes<'_>, norm: Option<&HeadNorm>, nodes: &mut Nodes) -> Option<String> {
    let norm = norm?;
    if probes
        .drawn()
        .shape(&norm.scale)
        .is_some_and(|shape| shape.len() == 1)
    {
        return Some(norm.scale.clone());
    }
    let shape = nodes.numbers(&[-1]);
    Some(nodes.add("Reshape", &[&norm.scale, &shape]))
}
