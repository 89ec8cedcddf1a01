//! Linear layers taken out of a graph, packed for this machine's kernels.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::Graph;
use super::super::clean::remove_unused_initializers;
use super::super::external::External;
use super::super::fuse::{DOMAIN, is_quantized};
use super::super::onnx::NodeProto;
use super::four_bits;
use super::layer::Held;
use crate::{Error, Result};
use multivec_kernels::Linear;

/// The operator that stands for a layer that was taken out.
///
/// `PackedLinear(x, residual?)`; attributes: `layer`, its position in the list
/// of [`pack_linears`], and `outer`, the columns of the result.
pub const PACKED_LINEAR: &str = "PackedLinear";

/// Which layers are taken out of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layers {
    /// Those with 8-bit weights.
    Quantized,
    /// Those with floats, too, and products with weights of 4 bits, which
    /// become floats.
    All,
}

impl Layers {
    fn has(self, node: &NodeProto) -> bool {
        match self {
            Self::All => node.is_ours("Linear") || four_bits::is_product(node),
            Self::Quantized => is_quantized(node),
        }
    }
}

/// Takes the weights of `Linear` layers out of a graph and packs them; queries,
/// keys and values that are made of the same rows become one layer.
/// `external` reads tensors whose bytes are in another file.
///
/// # Errors
/// [`Error::InvalidModel`] for weights that cannot be read.
pub fn pack_linears(
    graph: &mut Graph,
    layers: Layers,
    file: &str,
    external: &External<'_>,
) -> Result<Vec<Arc<Linear>>> {
    let mut packed: Vec<Arc<Linear>> = Vec::new();
    let mut nodes = std::mem::take(&mut graph.proto_mut().node);
    let mut replace = |node: &mut NodeProto, layer: Linear| {
        let residual = node.input.get(5).cloned();
        let is_linear = node.is_ours("Linear");
        node.input.truncate(1);
        node.input
            .extend(residual.filter(|name| is_linear && !name.is_empty()));
        node.domain = Some(DOMAIN.to_owned());
        node.op_type = Some(PACKED_LINEAR.to_owned());
        node.attribute.clear();
        *node = std::mem::take(node)
            .with_int("layer", packed.len() as i64)
            .with_int("outer", layer.outer() as i64);
        packed.push(Arc::new(layer));
    };
    let read =
        |node: &NodeProto| Held::read(graph, node, external)?.ok_or_else(|| misfit(file, node));
    let mut merged = HashSet::new();
    for [queries, keys, values, attention] in projections(graph, &nodes, layers) {
        let all = [queries, keys, values];
        let held = all.map(|at| read(&nodes[at]));
        let held = held.into_iter().collect::<Result<Vec<_>>>()?;
        let Some(layer) = Held::join(&held).and_then(|layer| layer.pack()) else {
            continue;
        };
        let width = (layer.outer() / 3) as i64;
        replace(&mut nodes[queries], layer);
        let rows = nodes[queries].output.concat();
        let attention = &mut nodes[attention];
        attention.input[..3].fill(rows);
        attention
            .attribute
            .retain(|attribute| !matches!(attribute.name.as_deref(), Some("offsets" | "widths")));
        *attention = std::mem::take(attention)
            .with_ints("offsets", &[0, width, 2 * width])
            .with_ints("widths", &[3 * width; 3]);
        merged.extend([keys, values]);
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        if !merged.contains(&at) && layers.has(node) {
            let layer = read(node)?.pack().ok_or_else(|| misfit(file, node))?;
            replace(node, layer);
        }
    }
    let mut at = 0..;
    nodes.retain(|_| at.next().is_none_or(|at| !merged.contains(&at)));
    graph.proto_mut().node = nodes;
    remove_unused_initializers(graph);
    Ok(packed)
}

fn misfit(file: &str, node: &NodeProto) -> Error {
    Error::InvalidModel {
        file: file.to_owned(),
        source: format!(
            "expected weights, scales and bias that fit each other in the linear layer `{}`",
            node.output.concat()
        )
        .into(),
    }
}

/// Attentions whose queries, keys and values are each made by a layer of their
/// own, of the same rows and as wide, and the attention: positions of nodes.
fn projections(graph: &Graph, nodes: &[NodeProto], layers: Layers) -> Vec<[usize; 4]> {
    let mut readers: HashMap<&str, usize> = HashMap::new();
    let inputs = nodes.iter().flat_map(|node| &node.input);
    for name in inputs.map(String::as_str).chain(graph.outputs()) {
        *readers.entry(name).or_default() += 1;
    }
    let makers: HashMap<&str, usize> = (nodes.iter().enumerate())
        .filter(|(_, node)| layers.has(node) && node.is_ours("Linear"))
        .filter(|(_, node)| node.input.get(5).is_none_or(String::is_empty))
        .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
        .collect();
    let found = nodes.iter().enumerate().filter_map(|(at, attention)| {
        let [queries, keys, values, ..] = attention.input.as_slice() else {
            return None;
        };
        let all = [queries, keys, values];
        let is_own = |name: &&String| readers.get(name.as_str()) == Some(&1);
        let width = attention.int("heads", 1) * attention.int("columns", 0);
        let is_whole = attention
            .ints("offsets")
            .is_none_or(|offsets| offsets == [0; 3])
            && attention
                .ints("widths")
                .is_some_and(|widths| widths == [width; 3]);
        (attention.is_ours("Attention") && is_whole && all.iter().all(is_own)).then_some(())?;
        let [queries, keys, values] = all.map(|name| makers.get(name.as_str()).copied());
        let (queries, keys, values) = (queries?, keys?, values?);
        // Rows, and what their columns are multiplied by.
        let rows = |at: usize| (nodes[at].input.first(), nodes[at].input.get(6));
        let is_same = rows(queries) == rows(keys) && rows(queries) == rows(values);
        is_same.then_some([queries, keys, values, at])
    });
    found.collect()
}
