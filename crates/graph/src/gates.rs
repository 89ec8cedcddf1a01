//! Layers whose outputs are multiplied.

use std::collections::HashMap;

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::LINEAR;
use multivec_kernels::{Activation, Function};

/// Two layers of the same rows, and the product of their outputs: the positions
/// of these nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GatedPair {
    /// The layer with an activation function.
    pub(crate) activated: usize,
    /// The one without.
    pub(crate) factor: usize,
    pub(crate) product: usize,
}

/// Finds the pairs of layers that compute what one gated layer with the columns
/// of both would. Nothing else reads their outputs.
pub(crate) fn gated_pairs(graph: &Graph) -> Vec<GatedPair> {
    let index = ValueIndex::new(graph);
    let nodes = graph.nodes();
    let layers: HashMap<&str, usize> = (nodes.iter().enumerate())
        .filter(|(_, node)| node.is_ours(LINEAR) && input(node, RESIDUAL).is_empty())
        .filter_map(|(at, node)| Some((node.output.first()?.as_str(), at)))
        .collect();
    let found = nodes.iter().enumerate().filter_map(|(product, node)| {
        let [left, right] = node.input.as_slice() else {
            return None;
        };
        let is_read_once = |name: &String| index.reader(name).is_some();
        (node.is("Mul") && is_read_once(left) && is_read_once(right)).then_some(())?;
        let [left, right] = [left, right].map(|name| layers.get(name.as_str()).copied());
        let (left, right) = (left?, right?);
        let functions = [left, right].map(|at| function(&nodes[at]));
        let (activated, factor) = match functions {
            [Some(_), Some(Function::Identity)] => (left, right),
            [Some(Function::Identity), Some(_)] => (right, left),
            _ => return None,
        };
        let pair = GatedPair {
            activated,
            factor,
            product,
        };
        is_gate(&index, [&nodes[activated], &nodes[factor]]).then_some(pair)
    });
    found.collect()
}

/// Positions of a layer's inputs, see [`LINEAR`].
const RESIDUAL: usize = 5;
const SMOOTHING: usize = 6;

fn input(layer: &NodeProto, at: usize) -> &str {
    layer.input.get(at).map_or("", String::as_str)
}

/// The function of a layer that is not gated itself.
fn function(layer: &NodeProto) -> Option<Function> {
    match Activation::parse(layer.string("activation"))? {
        Activation::Each(function) => Some(function),
        Activation::Gated(_) => None,
    }
}

/// Whether two layers differ in no more than their weights and the function.
fn is_gate(index: &ValueIndex<'_>, layers: [&NodeProto; 2]) -> bool {
    let [activated, factor] = layers;
    let columns = |layer: &NodeProto| {
        let dims = &index.constant(input(layer, 1))?.dims;
        match layer.int("transposed", 0) {
            0 => dims.last().copied(),
            _ => dims.first().copied(),
        }
    };
    let is_same = |at: usize| input(activated, at) == input(factor, at);
    // A bilinear layer would have two candidates for the function.
    function(activated) != Some(Function::Identity)
        && is_same(0)
        && is_same(SMOOTHING)
        && activated.is_quantized_linear() == factor.is_quantized_linear()
        && columns(activated).is_some()
        && columns(activated) == columns(factor)
}
