use std::cell::Cell;
use std::io::Cursor;

use prost::bytes::Bytes;

use super::*;
use crate::architectures::{Head, build};
use crate::error::Error;
use crate::external::{ExternalLocation, StoredType, tensor_bytes, widen_stored};
use crate::fuse::fuse;
use crate::graph::Graph;
use crate::modules::{SpladeActivation, SpladePooling, SpladeStrategy, append_splade};
use crate::node::node;
use crate::onnx::{FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use crate::operators::POOLED_LINEAR;
use crate::safetensors::WeightIndex;
use crate::testing::{fixture, fixture_bytes, value_info};
use crate::vocabulary::vocabulary_size;

/// Quantizes every layer that can be quantized.
fn quantize(graph: &mut Graph) -> Vec<Layer> {
    let none = |_: &TensorProto| panic!("no tensor is in another file");
    let found = layers(graph, "graph").expect("layers");
    let quantized = found.iter().map(|layer| {
        let tensor = layer.tensor(graph).expect("a tensor");
        let bytes = tensor_bytes(tensor, &none).expect("bytes");
        let tensor = LayerTensor::new(layer, &bytes, "graph");
        let weights = quantize_weights(tensor, WeightRange::Full, &[]).expect("finite weights");
        weights.into_layer(layer.clone(), &[])
    });
    let quantized: Vec<QuantizedLayer> = quantized.collect();
    replace(graph, &quantized);
    found
}

fn count(graph: &Graph, operator: &str) -> usize {
    let nodes = graph.nodes().iter();
    nodes.filter(|node| node.is(operator)).count()
}

/// `[64, 32]`, each column twice as large as the one before it.
fn matrix(name: &str, dims: [i64; 2]) -> TensorProto {
    let columns = dims[1] as usize;
    let values = (0..(dims[0] * dims[1]) as usize)
        .map(|at| ((at * 37 % 101) as f32 - 50.) * (2f32).powi((at % columns) as i32 % 8));
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        float_data: values.collect(),
        ..TensorProto::default()
    }
}

fn graph(nodes: Vec<NodeProto>, tensors: Vec<TensorProto>) -> Graph {
    let proto = GraphProto {
        node: nodes,
        initializer: tensors,
        input: vec![value_info("input_ids"), value_info("w")],
        output: vec![value_info("out")],
        ..GraphProto::default()
    };
    let model = ModelProto {
        opset_import: vec![OperatorSetIdProto {
            domain: None,
            version: Some(14),
        }],
        ..ModelProto::default()
    };
    Graph::from_parts(model, proto)
}

#[test]
fn all_of_a_quantized_encoder_is_recognised() {
    // The number of products, and of the values that they read.
    for (name, layers, read, fused) in [
        (
            "tests/fixtures/tiny-bert/model.onnx",
            13,
            9,
            [2, 0, 0, 2, 13, 13, 0],
        ),
        (
            "tests/fixtures/tiny-modernbert/model.onnx",
            17,
            17,
            [4, 4, 2, 4, 17, 17, 4],
        ),
    ] {
        let mut graph = fixture(name);
        let before = graph.clone().into_bytes().len();
        let outputs = graph.nodes().len();
        let found = quantize(&mut graph);
        let embeddings = found
            .iter()
            .filter(|layer| layer.kind == LayerKind::Embedding);
        assert_eq!((found.len(), embeddings.count()), (layers + 1, 1), "{name}");
        assert_eq!(count(&graph, "MatMulInteger"), layers, "{name}");
        assert_eq!(count(&graph, "DynamicQuantizeLinear"), read, "{name}");
        assert!(graph.nodes().len() > outputs);
        let bytes = graph.clone().into_bytes();
        assert!(bytes.len() * 2 < before, "{} of {before}", bytes.len());
        let vocabulary = vocabulary_size(&fixture(name));
        assert_eq!(vocabulary_size(&graph), vocabulary);

        let error = error_of(&graph);
        assert_eq!(error.code(), "model_mismatch");
        let mut graph = Graph::parse(name, bytes.into()).expect("it can be read");
        let found = fuse(&mut graph);
        let found = [
            found.attentions,
            found.rotary,
            found.windowed,
            found.gelus,
            found.linears,
            found.quantized,
            found.gated,
        ];
        assert_eq!(found, fused, "{name}");
    }
}

/// Layers of heads of keys are too small in these models.
#[test]
fn layers_of_decoders_are_quantized() {
    for (name, rms_norms, gated) in [
        ("script-17/llama-eager", 5, 2),
        ("script-17/t5-gated-eager", 5, 2),
        ("script-17/nomic-eager", 0, 2),
    ] {
        let mut graph = fixture(&format!("tests/fixtures/families/{name}.onnx"));
        quantize(&mut graph);
        let fused = fuse(&mut graph);
        assert!(fused.quantized * 2 > fused.linears, "{name}: {fused}");
        let found = (fused.rms_normalizations, fused.gated);
        assert_eq!(found, (rms_norms, gated), "{name}: {fused}");
    }
}

/// An activation of ONNX Runtime has no quantized weights, whatever its name
/// starts with.
#[test]
fn quick_gelu_is_not_taken_for_a_quantized_operator() {
    let tensor = matrix("w", [64, 32]);
    let nodes = vec![
        node("MatMul", "", &["input_ids", "w"], &["v"]),
        node("QuickGelu", "com.microsoft", &["v"], &["out"]),
    ];
    let found = layers(&graph(nodes, vec![tensor]), "graph").expect("a layer");
    assert_eq!(found.len(), 1);
}

fn error_of(graph: &Graph) -> Error {
    layers(graph, "graph").expect_err("it is refused")
}

#[test]
fn weights_are_off_by_at_most_half_a_step() {
    let tensor = matrix("w", [64, 32]);
    let values = tensor.float_data.clone();
    let nodes = vec![node("MatMul", "", &["input_ids", "w"], &["out"])];
    let graph = graph(nodes, vec![tensor]);
    let layer = &layers(&graph, "graph").expect("a layer")[0];
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    for (range, largest) in [(WeightRange::Full, 127), (WeightRange::Reduced, 64)] {
        let tensor = LayerTensor::new(layer, &bytes, "graph");
        let found = quantize_weights(tensor, range, &[]).expect("they are quantized");
        assert_eq!(found.scales.len(), 32);
        let sizes = found.values.iter().map(|value| i32::from(*value).abs());
        assert_eq!(sizes.max(), Some(largest));
        for (at, (&quantized, value)) in found.values.iter().zip(&values).enumerate() {
            let scale = found.scales[at % 32];
            let distance = (f32::from(quantized) * scale - value).abs();
            assert!(distance <= scale * 0.5001, "{distance} of {scale}");
        }
    }
    let error_of = |bytes: &[u8]| {
        let tensor = LayerTensor::new(layer, bytes, "graph");
        quantize_weights(tensor, WeightRange::Full, &[]).expect_err("they are refused")
    };
    assert_eq!(error_of(&bytes[4..]).code(), "invalid_model");
    let mut broken = bytes.clone();
    broken[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let message = error_of(&broken).to_string();
    assert!(message.contains("found inf"), "{message}");
}

/// Bytes of a file, and the tensor that is in it from `offset` on.
fn stored(name: &str, dims: [i64; 2], offset: u64, stored: StoredType) -> TensorProto {
    let mut tensor = TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        ..TensorProto::default()
    };
    let length = (dims[0] * dims[1]) as u64 * stored.size() as u64;
    let place = ExternalLocation {
        file: "weights",
        offset,
        length: Some(length),
        stored,
    };
    place.write_to(&mut tensor);
    tensor
}

#[test]
fn weights_in_files_are_quantized_part_by_part() {
    const SIZE: usize = 4 << 20;
    // Halves of no infinity.
    let file: Vec<u8> = (0..SIZE)
        .map(|at| (at * at * 31 % 251) as u8 & if at % 2 == 1 { 0xbb } else { 0xff })
        .collect();
    let largest = Cell::new(0);
    let external = |tensor: &TensorProto| {
        let place = ExternalLocation::of(tensor).expect("a place");
        let start = place.offset as usize;
        let part = &file[start..start + place.length.expect("a length") as usize];
        let bytes = widen_stored(tensor, Bytes::copy_from_slice(part));
        largest.set(largest.get().max(bytes.len()));
        Ok(bytes)
    };
    let half = StoredType::Float16;
    let nodes = vec![
        node("Gather", "", &["table", "input_ids"], &["rows"]),
        node("Gemm", "", &["rows", "w"], &["one"]).with_int("transB", 1),
        node("MatMul", "", &["one", "v"], &["out"]),
    ];
    // The last one has a scale for each of its stored columns.
    let tensors = vec![
        stored("table", [900, 700], 6, half),
        stored("w", [600, 700], 1 << 20, half),
        stored("v", [600, 16], 3 << 20, half),
    ];
    let graph = graph(nodes, tensors);
    let whole = |graph: &Graph| {
        let found = layers(graph, "graph").expect("layers");
        assert_eq!(found.len(), 3);
        let quantized = found.into_iter().map(|layer| {
            let bytes = external(layer.tensor(graph).expect("a tensor")).expect("bytes");
            let tensor = LayerTensor::new(&layer, &bytes, "graph");
            let weights = quantize_weights(tensor, WeightRange::Full, &[]);
            weights.expect("finite weights").into_layer(layer, &[])
        });
        quantized.collect::<Vec<_>>()
    };
    let mut expected = graph.clone();
    replace(&mut expected, &whole(&graph));
    largest.set(0);
    let mut found = graph.clone();
    quantize_all(&mut found, "graph", &external).expect("it is quantized");
    assert_eq!(found, expected);
    assert!(largest.get() <= 1 << 20, "{}", largest.get());

    let fail = |_: &TensorProto| Err(Error::invalid("weights", "gone"));
    let mut kept = graph.clone();
    let error = quantize_all(&mut kept, "graph", &fail).expect_err("no weights");
    assert!(error.to_string().contains("gone"), "{error}");
    assert_eq!(kept, graph);
}

#[test]
fn transposed_matrices_are_transposed_back() {
    let quantized = |nodes: Vec<NodeProto>, tensor| {
        let mut graph = graph(nodes, vec![tensor]);
        quantize(&mut graph);
        graph
    };
    let plain = matrix("w", [64, 32]);
    let mut transposed = matrix("w", [32, 64]);
    transposed.float_data = (0..64 * 32)
        .map(|at| plain.float_data[at % 64 * 32 + at / 64])
        .collect();
    let expected = quantized(
        vec![node("MatMul", "", &["input_ids", "w"], &["out"])],
        plain,
    );
    let by_gemm = quantized(
        vec![node("Gemm", "", &["input_ids", "w"], &["out"]).with_int("transB", 1)],
        transposed.clone(),
    );
    let by_node = quantized(
        vec![
            node("Transpose", "", &["w"], &["v"]),
            node("MatMul", "", &["input_ids", "v"], &["out"]),
        ],
        transposed,
    );
    assert_eq!(expected.initializers().len(), 2);
    for other in [by_gemm, by_node] {
        assert_eq!(other.initializers(), expected.initializers());
        assert_eq!(other.nodes(), expected.nodes());
        // The matrix is no longer an input, either.
        assert_eq!(other.free_inputs().collect::<Vec<_>>(), ["input_ids"]);
    }
}

#[test]
fn one_matrix_may_be_a_table_and_a_factor() {
    let nodes = vec![
        node("Gather", "", &["w", "input_ids"], &["rows"]),
        node("MatMul", "", &["rows", "w"], &["one"]),
        node("MatMul", "", &["rows", "w"], &["two"]),
        node("Add", "", &["one", "two"], &["out"]),
    ];
    let mut graph = graph(nodes, vec![matrix("w", [64, 64])]);
    let found = quantize(&mut graph);
    assert_eq!(found.len(), 2);
    let dims: Vec<_> = graph.initializers().iter().map(|one| &one.dims).collect();
    assert_eq!(
        dims,
        [&vec![64, 64], &vec![64, 1], &vec![64, 64], &vec![64]]
    );
    assert_eq!(count(&graph, "DynamicQuantizeLinear"), 1);
    assert_eq!(count(&graph, "MatMulInteger"), 2);
}

#[test]
fn columns_are_smoothed_where_it_reduces_the_error() {
    let mut graph_of = {
        let nodes = vec![
            node("Neg", "", &["input_ids"], &["rows"]),
            node("MatMul", "", &["rows", "w"], &["one"]),
            node("MatMul", "", &["rows", "v"], &["two"]),
            node("MatMul", "", &["input_ids", "v"], &["three"]),
            node("Add", "", &["one", "two"], &["four"]),
            node("Add", "", &["three", "four"], &["out"]),
        ];
        graph(nodes, vec![matrix("w", [64, 32]), matrix("v", [64, 32])])
    };
    // A matrix by which two values are multiplied cannot have factors.
    let shared = layers(&graph_of, "graph").expect("layers");
    assert!(smoothable(&graph_of, &shared).is_empty());
    graph_of.proto_mut().node.remove(3);
    let found = layers(&graph_of, "graph").expect("layers");
    let values = smoothable(&graph_of, &found);
    assert_eq!((values.len(), values[0].value.as_str()), (1, "rows"));
    assert_eq!(values[0].layers, [0, 1]);

    let bytes: Vec<Vec<u8>> = found
        .iter()
        .map(|layer| {
            let tensor = layer.tensor(&graph_of).expect("a tensor");
            tensor
                .float_data
                .iter()
                .flat_map(|one| one.to_le_bytes())
                .collect()
        })
        .collect();
    let readers = found.iter().zip(&bytes);
    let readers: Vec<LayerTensor<'_>> = readers
        .map(|(layer, bytes)| LayerTensor::new(layer, bytes, "graph"))
        .collect();
    let calibrate = |large: f32| {
        let mut stats = CalibrationStats::default();
        let number = |at: usize| {
            ((at * 7919 % 1013) as f32 / 506. - 1.) * if at % 64 == 5 { large } else { 1. }
        };
        stats.add(&(0..64 * 100).map(number).collect::<Vec<f32>>(), 64);
        smoothing_factors(&stats, &readers, WeightRange::Full).expect("finite weights")
    };
    assert_eq!(calibrate(1.), None);
    let factors = calibrate(100.).expect("a column that is much larger");
    for (at, factor) in factors.iter().enumerate().filter(|(at, _)| *at != 5) {
        assert!(*factor > 5. * factors[5], "{at}: {factors:?}");
    }

    let quantized: Vec<QuantizedLayer> = readers
        .iter()
        .map(|&tensor| {
            let weights = quantize_weights(tensor, WeightRange::Full, &factors);
            let weights = weights.expect("they are quantized");
            for (at, weight) in tensor.weights().enumerate() {
                let scale = weights.scales[weight.column] * factors[weight.row];
                let distance = (f32::from(weights.values[at]) * scale - weight.value).abs();
                assert!(distance <= scale * 0.5001, "{distance} of {scale}");
            }
            weights.into_layer(tensor.layer.clone(), &factors)
        })
        .collect();
    replace(&mut graph_of, &quantized);
    assert_eq!(count(&graph_of, "DynamicQuantizeLinear"), 1);
    let smoothing = graph_of.initializer("rows_smoothing").expect("factors");
    assert_eq!(smoothing.dims, [64]);
    // One for smoothing, two for the scales of each product.
    assert_eq!(count(&graph_of, "Mul"), 1 + 2 * 2);
    let error = quantize_weights(readers[0], WeightRange::Full, &factors[1..]);
    let message = error.expect_err("one too few").to_string();
    assert!(message.contains("63 factors"), "{message}");
}

#[test]
fn what_cannot_be_quantized_is_named() {
    let product = || vec![node("MatMul", "", &["input_ids", "w"], &["out"])];
    let small = graph(product(), vec![matrix("w", [8, 8])]);
    assert!(error_of(&small).to_string().contains("found none"));
    let wide = graph(product(), vec![matrix("w", [(1 << 14) + 1, 1])]);
    assert!(error_of(&wide).to_string().contains("found none"));
    let scaled = vec![node("Gemm", "", &["input_ids", "w"], &["out"]).with_int("transA", 1)];
    let scaled = graph(scaled, vec![matrix("w", [64, 32])]);
    assert!(error_of(&scaled).to_string().contains("found none"));
    let by_position = vec![
        node("Shape", "", &["input_ids"], &["shape"]),
        node("Range", "", &["shape"], &["positions"]),
        node("Gather", "", &["w", "positions"], &["out"]),
    ];
    let by_position = graph(by_position, vec![matrix("w", [64, 32])]);
    assert!(error_of(&by_position).to_string().contains("found none"));
    for name in ["tiny-bert", "tiny-modernbert"] {
        let message =
            error_of(&fixture(&format!("tests/fixtures/{name}/model_int8.onnx"))).to_string();
        assert!(
            message.contains("weights: expected 32-bit floats only"),
            "{message}"
        );
    }
}

/// The shapes of the products of a model of the hub that are quantized.
fn products(name: &str, head: Head<'_>) -> Vec<[usize; 2]> {
    let folder = format!("tests/fixtures/hub/{name}");
    let mut index = WeightIndex::new();
    let file = Cursor::new(fixture_bytes(&format!("{folder}/model.safetensors")));
    index.read_file("model.safetensors", file).expect("weights");
    let config = fixture_bytes(&format!("{folder}/config.json"));
    let built = build("config.json", &config, &index, head).expect("a known family");
    let found = layers(&built.graph, "graph").expect("layers");
    let products = found
        .iter()
        .filter(|layer| layer.kind == LayerKind::Product);
    products.map(|layer| layer.shape).collect()
}

#[test]
fn layers_of_a_row_for_each_text_stay() {
    // Three layers of six products each, without the pooler.
    let labels = products("rerank-bert", Head::SequenceClassification);
    assert_eq!(labels.len(), 18);
    // And those of each token of the vocabulary, the last of which has a scale for
    // each of them.
    let tokens = products("sparse-bert-splade", Head::MaskedLanguageModel);
    assert_eq!(tokens[18..], [[64, 64], [64, 1200]]);
}

#[test]
fn decoders_of_sparse_vectors_are_quantized_and_pooled() {
    let folder = "tests/fixtures/hub/sparse-bert-splade";
    let weights = fixture_bytes(&format!("{folder}/model.safetensors"));
    let mut index = WeightIndex::new();
    let read = index.read_file("model.safetensors", Cursor::new(&weights));
    read.expect("weights");
    let config = fixture_bytes(&format!("{folder}/config.json"));
    let built = build("config.json", &config, &index, Head::MaskedLanguageModel);
    let mut graph = built.expect("a known family").graph;
    let pooling = SpladePooling::new(SpladeStrategy::Max, SpladeActivation::Relu);
    append_splade(&mut graph, "graph", "logits", pooling).expect("an output");
    let external = |tensor: &TensorProto| {
        let location = ExternalLocation::of(tensor).expect("a place");
        let start = location.offset as usize;
        let end = start + location.length.expect("a length") as usize;
        let bytes = Bytes::copy_from_slice(&weights[start..end]);
        Ok(widen_stored(tensor, bytes))
    };
    quantize_all(&mut graph, "graph", &external).expect("it is quantized");
    let fused = fuse(&mut graph);
    assert_eq!((fused.linears, fused.quantized), (20, 20));
    let mut pooled = graph
        .nodes()
        .iter()
        .filter(|node| node.is_ours(POOLED_LINEAR));
    let node = pooled.next().expect("the decoder");
    assert!(node.is_quantized_linear() && pooled.next().is_none());
    // One scale for each token of the vocabulary.
    let scales = graph.initializer(&node.input[2]).expect("scales");
    assert_eq!(scales.dims, [1200]);
    assert_eq!(graph.outputs().next(), Some(node.output[0].as_str()));
}
