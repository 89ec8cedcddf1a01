//! Puts operators of encoders in place of the many nodes that exporters write
//! for them.
//!
//! Parts of a graph are recognised by what they compute: a trace yields shapes
//! and numbers, and the output of a candidate is compared with that of the
//! operator.

mod activation;
mod attention;
mod counts;
mod embedding;
mod l2_norm;
mod layer_norm;
mod linear;
mod replacement;
mod rms_norm;
mod short_convolution;

use crate::gates::gated_pairs;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::passes::{clean, expand_composites, merge_equal_nodes, replace_known_selections};
use crate::trace::Trace;
use attention::Probes;
pub use counts::Fused;
use replacement::{Replacement, apply};
use short_convolution::Shapes;

/// The shape that graphs are traced with.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// Takes [composites](crate::passes::expand_composites) apart, cleans a graph
/// and fuses nodes of it to the standard `LayerNormalization`, and to
/// `Activation`, `Attention`, `Embedding`, `Linear`, `L2Normalize`,
/// `RmsNormalize` and `ShortConvolution` of our own
/// [`operators`](crate::operators). What is not recognised is kept.
///
/// Engines run the result after [`lower`](crate::lower). Graphs with control
/// flow are left as they are.
pub fn fuse(graph: &mut Graph) -> Fused {
    let mut fused = Fused {
        nodes_before: graph.nodes().len(),
        nodes_after: graph.nodes().len(),
        ..Fused::default()
    };
    if graph.has_control_flow() {
        return fused;
    }
    expand_composites(graph);
    replace_known_selections(graph);
    clean(graph);
    let replacements = find(graph, &mut fused);
    apply(graph, replacements);
    // Layers share what is computed for each of them.
    merge_equal_nodes(graph);
    graph.remove_dead_nodes();
    // Lookups of scales look like embeddings until they are removed.
    fused.embeddings = count(graph.nodes(), embedding::is_embedding);
    fused.quantized_embeddings = count(graph.nodes(), embedding::is_quantized);

    fused.rms_normalizations = count(graph.nodes(), rms_norm::is_rms_norm);

    // Activations and residuals of linear layers are fused nodes by now.
    let layers = find_linears(graph, &mut fused);
    apply(graph, layers);
    fused.gated += gated_pairs(graph).len();
    attention::mark_quantized(graph);
    graph.remove_dead_nodes();
    graph.remove_unused_initializers();
    fused.nodes_after = graph.nodes().len();
    fused
}

/// Finds all but linear layers.
fn find(graph: &Graph, fused: &mut Fused) -> Vec<Replacement> {
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let probes = Probes::new(&index);

    let attentions = find_each(graph, |node| attention::find(&trace, &probes, node));
    let made = || attentions.iter().flat_map(|found| &found.nodes);
    fused.attentions = attentions.len();
    fused.rotary = count(made(), attention::is_rotary);
    fused.windowed = count(made(), attention::is_windowed);
    fused.causal = count(made(), attention::is_causal);
    fused.grouped = count(made(), attention::is_grouped);
    fused.head_norms = count(made(), attention::has_head_norms);
    fused.biased = count(made(), attention::has_bias);

    let layer_norms = find_each(graph, |node| layer_norm::find(&trace, node));
    fused.layer_normalizations = layer_norms.len();
    let rms_norms = find_each(graph, |node| rms_norm::find(&trace, node));
    let activations = find_each(graph, |node| activation::find(&trace, node));
    let made = || activations.iter().flat_map(|found| &found.nodes);
    fused.gelus = count(made(), activation::is_gelu);
    fused.activations = activations.len() - fused.gelus;
    let l2_norms = find_each(graph, |node| l2_norm::find(&trace, node));
    fused.l2_normalizations = l2_norms.len();

    let shapes = Shapes::of(&index);
    let convolutions = find_each(graph, |node| shapes.as_ref()?.find(node));
    fused.short_convolutions = convolutions.len();

    let embeddings = find_each(graph, |node| embedding::find(&trace, node));
    let renamed = find_each(graph, activation::rename);
    let all = [
        attentions,
        layer_norms,
        rms_norms,
        activations,
        l2_norms,
        convolutions,
        embeddings,
        renamed,
    ];
    all.into_iter().flatten().collect()
}

fn find_linears(graph: &Graph, fused: &mut Fused) -> Vec<Replacement> {
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let mut layers = find_each(graph, |node| linear::find(&trace, node));
    linear::pool(&index, &trace, &mut layers);
    let made = || layers.iter().flat_map(|layer| &layer.nodes);
    fused.linears = layers.len();
    fused.quantized = count(made(), NodeProto::is_quantized_linear);
    fused.gated = count(made(), linear::is_gated);
    layers
}

fn find_each<'g>(
    graph: &'g Graph,
    find: impl Fn(&'g NodeProto) -> Option<Replacement>,
) -> Vec<Replacement> {
    graph.nodes().iter().filter_map(find).collect()
}

fn count<'n>(
    nodes: impl IntoIterator<Item = &'n NodeProto>,
    is_counted: fn(&NodeProto) -> bool,
) -> usize {
    nodes.into_iter().filter(|node| is_counted(node)).count()
}

#[cfg(test)]
mod forms;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixture;

    #[test]
    fn exported_encoders_are_recognised() {
        for (file, expected) in [
            (
                "tests/fixtures/tiny-bert/model.onnx",
                [2, 0, 0, 0, 0, 0, 0, 5, 0, 2, 0, 13, 0, 0, 3, 0, 1],
            ),
            (
                "tests/fixtures/tiny-bert/model_int8.onnx",
                [2, 0, 0, 0, 0, 0, 0, 5, 0, 2, 0, 13, 13, 0, 3, 3, 1],
            ),
            (
                "tests/fixtures/tiny-modernbert/model.onnx",
                [4, 4, 2, 0, 0, 0, 0, 9, 0, 4, 0, 17, 0, 4, 1, 0, 1],
            ),
            (
                "tests/fixtures/tiny-modernbert/model_int8.onnx",
                [4, 4, 2, 0, 0, 0, 0, 9, 0, 4, 0, 17, 17, 4, 1, 1, 1],
            ),
            (
                "models/minilm-colbert/model_int8.onnx",
                [6, 0, 0, 0, 0, 0, 0, 13, 0, 6, 0, 37, 37, 0, 3, 1, 1],
            ),
            (
                "tests/fixtures/failing/05-gqa-not-fused/model.onnx",
                [2, 2, 0, 0, 2, 0, 0, 0, 5, 0, 2, 15, 0, 2, 1, 0, 1],
            ),
            (
                "tests/fixtures/failing/19-bias-attention-not-fused/model.onnx",
                [2, 0, 0, 0, 0, 0, 2, 0, 0, 2, 0, 13, 0, 0, 2, 0, 1],
            ),
        ] {
            let mut graph = fixture(file);
            let fused = fuse(&mut graph);
            eprintln!("{file}: {fused}");
            let found = &fused.counts()[..17];
            assert_eq!(fused, Fused::from_counts(fused.counts()));
            assert_eq!(found, expected, "{file}");
        }
    }
}
