//! Passes over graphs as exporters write them.

#![allow(clippy::expect_used)]

use multivec_graph::lower::{Layers, Operators, for_onnxruntime, pack_embeddings, pack_linears};
use multivec_graph::onnx::TensorProto;
use multivec_graph::passes::{
    drop_value_info, lift_nan_guards, remove_final_normalization, replace_mask_lookup,
};
use multivec_graph::{Bytes, Graph, fuse, needs_engine_threads};

/// Fixtures, and the number of their guards that can fire: those of layers with
/// a sliding window.
const MODELS: [(&str, usize); 5] = [
    ("tests/fixtures/tiny-bert/model.onnx", 0),
    ("tests/fixtures/tiny-bert/model_int8.onnx", 0),
    ("tests/fixtures/tiny-modernbert/model.onnx", 2),
    ("tests/fixtures/tiny-modernbert/model_int8.onnx", 2),
    ("models/minilm-colbert/model_int8.onnx", 0),
];

fn read(file: &str) -> Graph {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let bytes = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
    Graph::parse(file, bytes.into()).expect("the fixture is a graph")
}

fn count(graph: &Graph, op: &str) -> usize {
    let nodes = graph.nodes().iter();
    nodes
        .filter(|node| node.op_type.as_deref() == Some(op))
        .count()
}

#[test]
fn mask_lookups_are_replaced() {
    for (file, _) in MODELS {
        let mut graph = read(file);
        let flattens = count(&graph, "Flatten");
        assert!(replace_mask_lookup(&mut graph), "{file}");
        assert_eq!((flattens, count(&graph, "Flatten")), (1, 0), "{file}");
    }
}

#[test]
fn only_guards_that_can_fire_are_left_and_none_before_a_product() {
    for (file, left) in MODELS {
        let mut graph = read(file);
        let softmaxes = count(&graph, "Softmax");
        assert_eq!(count(&graph, "IsNaN"), softmaxes, "{file}");
        replace_mask_lookup(&mut graph);
        assert!(lift_nan_guards(&mut graph), "{file}");
        assert_eq!(count(&graph, "IsNaN"), left, "{file}");
        assert_eq!(count(&graph, "Softmax"), softmaxes, "{file}");
    }
}

#[test]
fn declarations_that_a_quantizing_exporter_leaves_are_removed() {
    for (file, _) in MODELS {
        // The demo model was quantized by multivec itself.
        let has_declarations = file.contains("int8") && !file.starts_with("models/");
        assert_eq!(drop_value_info(&mut read(file)), has_declarations, "{file}");
    }
}

#[test]
fn the_final_normalization_is_removed_after_the_other_passes() {
    for (file, _) in MODELS {
        let mut graph = read(file);
        replace_mask_lookup(&mut graph);
        lift_nan_guards(&mut graph);
        assert!(remove_final_normalization(&mut graph), "{file}");
        assert_eq!(count(&graph, "ReduceL2"), 0, "{file}");
    }
}

#[test]
fn projections_of_the_same_rows_are_packed_as_one() {
    for (file, linears, packed) in [
        ("tests/fixtures/tiny-bert/model.onnx", 13, 9),
        ("models/minilm-colbert/model_int8.onnx", 37, 25),
        // The exporter already joined projections.
        ("tests/fixtures/tiny-modernbert/model_int8.onnx", 17, 17),
    ] {
        let mut graph = read(file);
        fuse(&mut graph);
        assert_eq!(count(&graph, "Linear"), linears, "{file}");
        let none = |_: &TensorProto| Ok(Bytes::new());
        let layers = pack_linears(&mut graph, Layers::All, file, &none).expect("they fit");
        assert_eq!(layers.len(), packed, "{file}");
        assert_eq!(count(&graph, "PackedLinear"), packed, "{file}");
    }
}

#[test]
fn an_engine_needs_threads_unless_all_layers_are_packed() {
    let file = "models/minilm-colbert/model_int8.onnx";
    let none = |_: &TensorProto| Ok(Bytes::new());
    let mut graph = read(file);
    assert!(needs_engine_threads(&graph));
    fuse(&mut graph);
    let mut standard = graph.clone();
    for_onnxruntime(&mut standard, Operators::Contrib);
    assert!(needs_engine_threads(&standard));
    pack_linears(&mut graph, Layers::Linear, file, &none).expect("they fit");
    pack_embeddings(&mut graph, file, &none).expect("they fit");
    for_onnxruntime(&mut graph, Operators::Kernels);
    assert!(!needs_engine_threads(&graph));
    // Layers of floats.
    let file = "tests/fixtures/tiny-bert/model.onnx";
    let mut graph = read(file);
    fuse(&mut graph);
    let mut standard = graph.clone();
    for_onnxruntime(&mut standard, Operators::Kernels);
    assert!(needs_engine_threads(&standard));
    pack_linears(&mut graph, Layers::Linear, file, &none).expect("they fit");
    for_onnxruntime(&mut graph, Operators::Kernels);
    assert!(!needs_engine_threads(&graph));
}

/// Changed bytes lead to an error or another graph, but neither to a panic nor
/// to unbounded allocation.
#[test]
fn corrupt_graphs_are_read_and_fused_or_refused() {
    let (mut read_anyway, mut refused) = (0, 0);
    for (file, seed) in [
        ("tests/fixtures/tiny-bert/model.onnx", 5),
        ("tests/fixtures/tiny-modernbert/model_int8.onnx", 11),
        (
            "tests/fixtures/exports/torch-2.10-dynamo/modernbert-sdpa.onnx",
            17,
        ),
    ] {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let whole = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
        let nodes = whole.len().min(120_000);
        for round in 0..60 {
            let mut bytes = whole.clone();
            for change in 0..3 {
                let at = (round * 1_999 + change * 40_503 + seed * 97) % nodes;
                bytes[at] ^= 1 << ((round + change) % 8);
            }
            match Graph::parse(file, bytes.into()) {
                Ok(mut graph) => {
                    fuse(&mut graph);
                    let mut packed = graph.clone();
                    for_onnxruntime(&mut graph, Operators::Contrib);
                    read_anyway += 1;
                    assert!(!graph.into_bytes().is_empty());
                    let none = |_: &TensorProto| Ok(Bytes::new());
                    let tables = pack_linears(&mut packed, Layers::All, file, &none)
                        .and_then(|_| pack_embeddings(&mut packed, file, &none));
                    match tables {
                        Ok(_) => for_onnxruntime(&mut packed, Operators::Kernels),
                        Err(error) => assert_eq!(error.code(), "invalid_model"),
                    }
                }
                Err(error) => {
                    assert_eq!(error.code(), "invalid_model");
                    refused += 1;
                }
            }
        }
    }
    assert!(read_anyway > 20 && refused > 20, "{read_anyway} {refused}");
}
