use super::*;
use crate::onnx::{FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use crate::{Fused, fuse, node};
use prost::Message;

fn none(_: &TensorProto) -> Result<Bytes> {
    panic!("no tensor is in another file")
}

fn fixture(name: &str) -> Graph {
    let file = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&file).expect("the fixture can be read");
    Graph::parse(&file, bytes.into()).expect("the fixture is a graph")
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
    let value = |name: &str| crate::onnx::ValueInfoProto {
        name: Some(name.to_owned()),
        ..Default::default()
    };
    let model = ModelProto {
        graph: Some(GraphProto {
            node: nodes,
            initializer: tensors,
            input: vec![value("input_ids"), value("w")],
            output: vec![value("out")],
            ..GraphProto::default()
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: None,
            version: Some(14),
        }],
        ..ModelProto::default()
    };
    Graph::parse("graph", model.encode_to_vec().into()).expect("it is a graph")
}

#[test]
fn quantized_encoders_are_recognised_whole() {
    // Products, and the values that they read.
    for (name, layers, read, fused) in [
        ("tiny-bert/model.onnx", 13, 9, [2, 0, 0, 5, 2, 13, 13, 0]),
        (
            "tiny-modernbert/model.onnx",
            17,
            17,
            [4, 4, 2, 9, 4, 17, 17, 4],
        ),
    ] {
        let mut graph = fixture(name);
        let before = graph.clone().into_bytes().len();
        let outputs = graph.nodes().len();
        let found = quantize(&mut graph, name, WeightRange::Full, &none).expect("it is quantized");
        let embeddings = found
            .iter()
            .filter(|layer| layer.kind == LayerKind::Embedding);
        assert_eq!((found.len(), embeddings.count()), (layers + 1, 1), "{name}");
        assert_eq!(count(&graph, "MatMulInteger"), layers, "{name}");
        assert_eq!(count(&graph, "DynamicQuantizeLinear"), read, "{name}");
        assert!(graph.nodes().len() > outputs);
        let bytes = graph.clone().into_bytes();
        assert!(bytes.len() * 2 < before, "{} of {before}", bytes.len());
        let vocabulary = crate::vocabulary_size(&fixture(name));
        assert_eq!(crate::vocabulary_size(&graph), vocabulary);

        let refused = layers_of(&graph);
        assert_eq!(refused.code(), "model_mismatch");
        let mut graph = Graph::parse(name, bytes.into()).expect("it can be read");
        let counts: Fused = fuse(&mut graph);
        assert_eq!(counts.counts()[..8], fused, "{name}");
    }
}

fn layers_of(graph: &Graph) -> Error {
    layers(graph, "graph").expect_err("it is refused")
}

#[test]
fn weights_come_back_within_half_a_step() {
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
        let found =
            quantize_weights(layer, "graph", range, &[], &bytes).expect("they are quantized");
        assert_eq!(found.scales.len(), 32);
        let peak = found.levels.iter().map(|level| i32::from(*level).abs());
        assert_eq!(peak.max(), Some(largest));
        for (at, (&level, value)) in found.levels.iter().zip(&values).enumerate() {
            let scale = found.scales[at % 32];
            let distance = (f32::from(level) * scale - value).abs();
            assert!(distance <= scale * 0.5001, "{distance} of {scale}");
        }
    }
    let error = quantize_weights(layer, "graph", WeightRange::Full, &[], &bytes[4..]);
    assert_eq!(error.expect_err("too short").code(), "invalid_model");
    let mut broken = bytes.clone();
    broken[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let error = quantize_weights(layer, "graph", WeightRange::Full, &[], &broken);
    let message = error.expect_err("not finite").to_string();
    assert!(message.contains("found inf"), "{message}");
}

#[test]
fn turned_matrices_are_turned_back() {
    let turn = |nodes: Vec<NodeProto>, tensor| {
        let mut graph = graph(nodes, vec![tensor]);
        quantize(&mut graph, "graph", WeightRange::Full, &none).expect("it is quantized");
        graph
    };
    let plain = matrix("w", [64, 32]);
    let mut turned = matrix("w", [32, 64]);
    turned.float_data = (0..64 * 32)
        .map(|at| plain.float_data[at % 64 * 32 + at / 64])
        .collect();
    let expected = turn(
        vec![node("MatMul", "", &["input_ids", "w"], &["out"])],
        plain,
    );
    let by_gemm = turn(
        vec![node("Gemm", "", &["input_ids", "w"], &["out"]).with_int("transB", 1)],
        turned.clone(),
    );
    let by_node = turn(
        vec![
            node("Transpose", "", &["w"], &["v"]),
            node("MatMul", "", &["input_ids", "v"], &["out"]),
        ],
        turned,
    );
    assert_eq!(expected.initializers().len(), 2);
    for other in [by_gemm, by_node] {
        assert_eq!(other.initializers(), expected.initializers());
        assert_eq!(other.nodes(), expected.nodes());
        // The matrix that was listed as an input is gone there, too.
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
    let found = quantize(&mut graph, "graph", WeightRange::Full, &none).expect("quantized");
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
fn columns_of_like_sizes_are_had_where_that_pays() {
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
    // One that two values are multiplied by can have no factors.
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
    let readers: Vec<(&Layer, &[u8])> = found.iter().zip(bytes.iter().map(Vec::as_slice)).collect();
    let observe = |large: f32| {
        let mut observed = CalibrationStats::default();
        let number = |at: usize| {
            ((at * 7919 % 1013) as f32 / 506. - 1.) * if at % 64 == 5 { large } else { 1. }
        };
        observed.add(&(0..64 * 100).map(number).collect::<Vec<f32>>(), 64);
        smooth(&observed, &readers, "graph", WeightRange::Full).expect("finite weights")
    };
    assert_eq!(observe(1.), None);
    let factors = observe(100.).expect("a column that is much larger");
    for (at, factor) in factors.iter().enumerate().filter(|(at, _)| *at != 5) {
        assert!(*factor > 5. * factors[5], "{at}: {factors:?}");
    }

    let quantized: Vec<QuantizedLayer> = readers
        .iter()
        .map(|&(layer, bytes)| {
            let weights = quantize_weights(layer, "graph", WeightRange::Full, &factors, bytes);
            let weights = weights.expect("they are quantized");
            let floats = weights::floats(layer, bytes);
            for (at, (row, column, weight)) in floats.enumerate() {
                let scale = weights.scales[column] * factors[row];
                let distance = (f32::from(weights.levels[at]) * scale - weight).abs();
                assert!(distance <= scale * 0.5001, "{distance} of {scale}");
            }
            weights.into_layer(layer.clone(), &factors)
        })
        .collect();
    replace(&mut graph_of, &quantized);
    assert_eq!(count(&graph_of, "DynamicQuantizeLinear"), 1);
    let smoothing = graph_of.initializer("rows_smoothing").expect("factors");
    assert_eq!(smoothing.dims, [64]);
    // Before rows are quantized, and for scales of both products.
    assert_eq!(count(&graph_of, "Mul"), 1 + 2 * 2);
    let error = quantize_weights(
        readers[0].0,
        "graph",
        WeightRange::Full,
        &factors[1..],
        readers[0].1,
    );
    assert!(
        error
            .expect_err("one too few")
            .to_string()
            .contains("63 factors")
    );
}

#[test]
fn what_cannot_be_quantized_is_named() {
    let product = || vec![node("MatMul", "", &["input_ids", "w"], &["out"])];
    let small = graph(product(), vec![matrix("w", [8, 8])]);
    assert!(layers_of(&small).to_string().contains("found none"));
    let wide = graph(product(), vec![matrix("w", [(1 << 14) + 1, 1])]);
    assert!(layers_of(&wide).to_string().contains("found none"));
    let scaled = vec![node("Gemm", "", &["input_ids", "w"], &["out"]).with_int("transA", 1)];
    let scaled = graph(scaled, vec![matrix("w", [64, 32])]);
    assert!(layers_of(&scaled).to_string().contains("found none"));
    let by_position = vec![
        node("Shape", "", &["input_ids"], &["shape"]),
        node("Range", "", &["shape"], &["positions"]),
        node("Gather", "", &["w", "positions"], &["out"]),
    ];
    let by_position = graph(by_position, vec![matrix("w", [64, 32])]);
    assert!(layers_of(&by_position).to_string().contains("found none"));
    for name in ["tiny-bert", "tiny-modernbert"] {
        let message = layers_of(&fixture(&format!("{name}/model_int8.onnx"))).to_string();
        assert!(
            message.contains("weights: expected 32-bit floats only"),
            "{message}"
        );
    }
}
