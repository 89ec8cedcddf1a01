//! Linear layers, taken out of a graph and packed for this machine's kernels.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::layer::LoadedLayer;
use super::n_bits;
use crate::error::{Error, Result};
use crate::external::ExternalReader;
use crate::gates::gated_pairs;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::{
    ATTENTION, DOMAIN, LINEAR, PACKED_LINEAR, PACKED_POOLED_LINEAR, POOLED_LINEAR,
};
use multivec_kernels::Linear;

/// Which layers are taken out of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layers {
    /// Linear layers, with 8-bit weights or floats.
    Linear,
    /// Those, and products with weights of a few bits, which become floats.
    All,
}

impl Layers {
    fn contain(self, node: &NodeProto) -> bool {
        match self {
            Self::All => node.is_layer() || n_bits::is_product(node),
            Self::Linear => node.is_layer(),
        }
    }
}

/// Takes linear layers out of a graph and packs their weights;
/// [`PACKED_LINEAR`] takes the place of [`LINEAR`]. The layers of queries, keys
/// and values become one if they read the same rows, and so do the two of a gated
/// layer. `file` names the model in
/// errors; `external` reads tensors of other files.
///
/// # Errors
/// The errors of `external`, and [`Error::InvalidModel`] if the tensors of a
/// layer do not fit each other.
pub fn pack_linears(
    graph: &mut Graph,
    layers: Layers,
    file: &str,
    external: &ExternalReader<'_>,
) -> Result<Vec<Arc<Linear>>> {
    let read = |node: &NodeProto| {
        LoadedLayer::read(graph, node, external)?.ok_or_else(|| misfit(file, node))
    };
    let mut nodes = graph.nodes().to_vec();
    let mut packed: Vec<Arc<Linear>> = Vec::new();
    let mut joined = HashSet::new();
    for found in projections(graph, layers) {
        let all = [found.queries, found.keys, found.values];
        let loaded = all.map(|at| read(&nodes[at]));
        let loaded = loaded.into_iter().collect::<Result<Vec<_>>>()?;
        let Some(layer) = LoadedLayer::join(&loaded).and_then(|layer| layer.pack()) else {
            continue;
        };
        replace(&mut nodes[found.queries], layer, &mut packed);
        let rows = nodes[found.queries].output.concat();
        read_joined(&mut nodes[found.attention], &rows);
        joined.extend([found.keys, found.values]);
    }
    for pair in gated_pairs(graph) {
        let layers_of_pair = [pair.activated, pair.factor].map(|at| &nodes[at]);
        if !layers_of_pair.iter().all(|node| layers.contain(node)) {
            continue;
        }
        let [activated, factor] = layers_of_pair.map(&read);
        let Some(layer) = LoadedLayer::gated(activated?, factor?).and_then(|layer| layer.pack())
        else {
            continue;
        };
        nodes[pair.product].input = nodes[pair.activated].input[..1].to_vec();
        replace(&mut nodes[pair.product], layer, &mut packed);
        joined.extend([pair.activated, pair.factor]);
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        if !joined.contains(&at) && layers.contain(node) {
            let layer = read(node)?.pack().ok_or_else(|| misfit(file, node))?;
            replace(node, layer, &mut packed);
        }
    }
    let mut at = 0..;
    nodes.retain(|_| at.next().is_none_or(|at| !joined.contains(&at)));
    graph.proto_mut().node = nodes;
    graph.remove_unused_initializers();
    Ok(packed)
}

/// Turns a node into the `PackedLinear` of a layer.
fn replace(node: &mut NodeProto, layer: Linear, packed: &mut Vec<Arc<Linear>>) {
    let input = |at: usize| node.input.get(at).filter(|name| !name.is_empty()).cloned();
    let is_pooled = node.is_ours(POOLED_LINEAR);
    let (operator, other) = if is_pooled {
        (PACKED_POOLED_LINEAR, input(7))
    } else {
        let residual = input(5).filter(|_| node.is_ours(LINEAR));
        (PACKED_LINEAR, residual)
    };
    node.input.truncate(1);
    node.input.extend(other);
    node.domain = Some(DOMAIN.to_owned());
    node.op_type = Some(operator.to_owned());
    node.attribute.retain(|attribute| {
        is_pooled && matches!(attribute.name.as_deref(), Some("join" | "logs"))
    });
    *node = std::mem::take(node)
        .with_int("layer", packed.len() as i64)
        .with_int("outer", layer.outer() as i64);
    packed.push(Arc::new(layer));
}

/// Makes an attention read queries, keys and values from rows that hold all
/// three, side by side.
fn read_joined(attention: &mut NodeProto, rows: &str) {
    let [queries, keys, values] = widths(attention);
    attention.input[..3].fill(rows.to_owned());
    attention
        .attribute
        .retain(|attribute| !matches!(attribute.name.as_deref(), Some("offsets" | "widths")));
    *attention = std::mem::take(attention)
        .with_ints("offsets", &[0, queries, queries + keys])
        .with_ints("widths", &[queries + keys + values; 3]);
}

/// Columns of the heads of queries, of keys and of values.
fn widths(attention: &NodeProto) -> [i64; 3] {
    let width = |heads| attention.int(heads, 1) * attention.int("columns", 0);
    let keys = width("key_heads");
    [width("heads"), keys, keys]
}

fn misfit(file: &str, node: &NodeProto) -> Error {
    let name = node.output.concat();
    let source =
        format!("expected weights, scales and bias of matching sizes in the linear layer `{name}`");
    Error::invalid(file, source)
}

/// An attention whose queries, keys and values are the outputs of three layers
/// that read the same rows: the positions of these nodes.
struct Projections {
    queries: usize,
    keys: usize,
    values: usize,
    attention: usize,
}

fn projections(graph: &Graph, layers: Layers) -> Vec<Projections> {
    let index = ValueIndex::new(graph);
    let nodes = graph.nodes();
    let linears: HashMap<&str, usize> = (nodes.iter().enumerate())
        .filter(|(_, node)| layers.contain(node) && node.is_ours(LINEAR))
        // Without a residual.
        .filter(|(_, node)| node.input.get(5).is_none_or(String::is_empty))
        .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
        .collect();
    let found = nodes.iter().enumerate().filter_map(|(at, attention)| {
        let [queries, keys, values, ..] = attention.input.as_slice() else {
            return None;
        };
        let offsets = attention.ints("offsets").unwrap_or(&[0; 3]);
        let all_columns = attention.ints("widths").unwrap_or_default();
        let all = [queries, keys, values];
        let is_whole = offsets == [0; 3] && all_columns == widths(attention);
        let is_read_once = all.iter().all(|name| index.readers(name).len() == 1);
        (attention.is_ours(ATTENTION) && is_whole && is_read_once).then_some(())?;
        let [queries, keys, values] = all.map(|name| linears.get(name.as_str()).copied());
        let (queries, keys, values) = (queries?, keys?, values?);
        // Rows and their smoothing.
        let rows = |at: usize| (nodes[at].input.first(), nodes[at].input.get(6));
        let is_same = rows(queries) == rows(keys) && rows(queries) == rows(values);
        is_same.then_some(Projections {
            queries,
            keys,
            values,
            attention: at,
        })
    });
    found.collect()
}
