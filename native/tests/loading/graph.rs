//! Graphs that are corrupt, or do not belong to an encoder.

use multivec::{EncoderBuilder, Engine, ModelBytes, Normalization, Precision};
use multivec_graph::Graph;
use multivec_graph::onnx::{AttributeProto, GraphProto, StringStringEntryProto};
use serde_json::json;

use multivec_testing::graphs::{self, FLOAT, FLOAT64, INT64, lookup, node, tensor, value};
use multivec_testing::models::{self, build, bytes, folder, open, refused, with_config};
use multivec_testing::{TINY, TINY_BERT, TINY_MODERNBERT};

fn with_graph(graph: GraphProto) -> ModelBytes {
    models::with_graph(&graphs::model(graph))
}

#[test]
fn a_graph_of_one_lookup_is_an_encoder() {
    let encoder = build(with_graph(lookup(2050, 8))).expect("the model loads");
    assert_eq!(encoder.encode_query("a").expect("it encodes").dim(), 8);
}

#[test]
fn empty_and_truncated() {
    for fixture in TINY {
        for normalization in [Normalization::L2, Normalization::Off] {
            for part in 0..8 {
                let mut bytes = bytes(fixture, Precision::Fp32);
                bytes.model.truncate(bytes.model.len() * part / 8);
                let found = EncoderBuilder::from_bytes(bytes)
                    .with_normalization(normalization)
                    .build();
                let parts = ["model.onnx", "expected an ONNX model"];
                let code = if part == 0 {
                    "invalid_file"
                } else {
                    "invalid_model"
                };
                refused(found, code, &parts);
            }
        }
    }
}

/// Changes single bytes at the start of a graph, where its nodes are.
#[test]
fn corrupt_nodes() {
    let whole = bytes(&TINY_BERT, Precision::Fp32);
    let (mut refusals, mut at) = (0, 7);
    while at < 20_000 {
        let mut bytes = whole.clone();
        bytes.model[at] ^= 0x15;
        if let Err(error) = build(bytes) {
            let codes = ["invalid_model", "model_mismatch", "config_value"];
            assert!(codes.contains(&error.code()), "{at}: {error}");
            let message = error.to_string();
            assert!(message.contains("model.onnx"), "{at}: {message}");
            refusals += 1;
        }
        at += 97;
    }
    assert!(refusals > 50, "{refusals}");
}

#[test]
fn truncated_in_a_folder() {
    let half = &TINY_BERT.int8[..TINY_BERT.int8.len() / 2];
    for (graph, code) in [
        (half, "invalid_model"),
        (b"", "invalid_file"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "invalid_file",
        ),
    ] {
        let root = folder(&[
            ("onnx_config.json", TINY_BERT.config),
            ("tokenizer.json", TINY_BERT.tokenizer),
            ("onnx/model_quantized.onnx", graph),
        ]);
        let file = root.path().join("onnx/model_quantized.onnx");
        let file = file.display().to_string();
        refused(open(root.path()), code, &[&file, "ONNX model"]);
    }
}

#[test]
fn an_unknown_operator() {
    let mut graph = lookup(2050, 8);
    graph.node[0].op_type = Some("Levitate".to_owned());
    let parts = ["model.onnx", "onnxruntime", "Levitate"];
    refused(build(with_graph(graph)), "invalid_model", &parts);
}

#[test]
fn missing_inputs() {
    for (left_out, name) in [(0, "`input_ids`"), (1, "`attention_mask`")] {
        let mut graph = lookup(2050, 8);
        graph.input.remove(left_out);
        let other = graph.input[0].name.clone().expect("it has a name");
        graph.node[0].input[1] = other.clone();
        graph.input[0] = value(&other, INT64, &["batch", "length"]);
        let other = format!("found `{other}`");
        let parts = ["model.onnx", "inputs", name, &other];
        refused(build(with_graph(graph)), "model_mismatch", &parts);
    }
}

#[test]
fn an_unknown_input() {
    for name in ["pixel_values", "past_conv.0", "use_cache_branch"] {
        let mut graph = lookup(2050, 8);
        graph
            .input
            .push(value(name, FLOAT, &["batch", "heads", "past", "columns"]));
        for &engine in Engine::COMPILED {
            let model = EncoderBuilder::from_bytes(with_graph(graph.clone()));
            let parts = ["model.onnx", "inputs", "token_type_ids", name];
            refused(model.with_engine(engine).build(), "model_mismatch", &parts);
        }
    }
}

#[test]
fn an_input_of_another_type_or_rank() {
    for changed in [
        value("attention_mask", FLOAT64, &["batch", "length"]),
        value("attention_mask", INT64, &["batch", "length", "length"]),
    ] {
        let mut graph = lookup(2050, 8);
        graph.input[1] = changed;
        let parts = [
            "model.onnx",
            "input `attention_mask`",
            "[batch, length] of int64",
            "found",
        ];
        refused(build(with_graph(graph)), "model_mismatch", &parts);
    }
}

#[test]
fn an_output_of_another_rank_or_type() {
    // One number per token, [batch, length].
    let mut flat = lookup(2050, 1);
    flat.initializer = vec![tensor("table", &[2050], vec![0.5; 2050])];
    flat.output = vec![value("output", FLOAT, &["batch", "length"])];
    // One vector per text.
    let mut pooled = lookup(2050, 8);
    pooled.node[0].output = vec!["states".to_owned()];
    pooled.node.push(node("ReduceMax", &["states"], "output"));
    let axes = AttributeProto {
        name: Some("axes".to_owned()),
        ints: vec![1],
        r#type: Some(7),
        ..AttributeProto::default()
    };
    let keep = AttributeProto {
        name: Some("keepdims".to_owned()),
        i: Some(0),
        r#type: Some(2),
        ..AttributeProto::default()
    };
    pooled.node[1].attribute = vec![axes, keep];
    pooled.output = vec![value("output", FLOAT, &["batch", "dim"])];
    for graph in [flat, pooled] {
        let parts = [
            "model.onnx",
            "outputs",
            "[batch, length, dim] of float32",
            "`output`",
        ];
        refused(build(with_graph(graph)), "model_mismatch", &parts);
    }

    let mut integers = lookup(2050, 8);
    integers.node = vec![node("Identity", &["input_ids"], "output")];
    integers.output = vec![value("output", INT64, &["batch", "length"])];
    let parts = ["model.onnx", "outputs", "float32", "`output`"];
    refused(build(with_graph(integers)), "model_mismatch", &parts);
}

#[test]
fn an_output_with_another_length() {
    let mut graph = lookup(2050, 8);
    graph.node[0].output = vec!["states".to_owned()];
    let mut twice = node("Concat", &["states", "states"], "output");
    twice.attribute = vec![AttributeProto {
        name: Some("axis".to_owned()),
        i: Some(1),
        r#type: Some(2),
        ..AttributeProto::default()
    }];
    graph.node.push(twice);
    graph.output = vec![value("output", FLOAT, &["batch", "double", "dim"])];
    let parts = [
        "model.onnx",
        "outputs",
        "[batch, length, dim]",
        "`output` [2, 10, 8]",
    ];
    refused(build(with_graph(graph)), "model_mismatch", &parts);
}

#[test]
fn a_dimension_that_contradicts_the_configuration() {
    let mut bytes = with_config(&TINY_MODERNBERT, |config| {
        config.insert("embedding_dim".to_owned(), json!(32));
    });
    bytes.model = graphs::model(lookup(2050, 8));
    let parts = [
        "onnx_config.json",
        "`embedding_dim`",
        "expected 8",
        "found 32",
    ];
    refused(build(bytes), "config_value", &parts);
}

/// `x * (1 / norm(x))` has no `Div` at its end, and is not recognized.
#[test]
fn a_normalization_that_cannot_be_removed() {
    let mut graph = lookup(2050, 8);
    graph.node[0].output = vec!["states".to_owned()];
    let mut norm = node("ReduceL2", &["states"], "norm");
    norm.attribute = vec![AttributeProto {
        name: Some("axes".to_owned()),
        ints: vec![2],
        r#type: Some(7),
        ..AttributeProto::default()
    }];
    graph.node.push(norm);
    graph.node.push(node("Reciprocal", &["norm"], "scale"));
    graph.node.push(node("Mul", &["states", "scale"], "output"));
    let bytes = with_graph(graph);
    assert!(build(bytes.clone()).is_ok());
    let raw = EncoderBuilder::from_bytes(bytes).with_normalization(Normalization::Off);
    let parts = ["model.onnx", "normalization", "removed", "rows of length 1"];
    refused(raw.build(), "model_mismatch", &parts);
}

#[test]
fn a_graph_without_normalization_stays_as_it_is() {
    let encoder = EncoderBuilder::from_bytes(with_graph(lookup(2050, 8)))
        .with_normalization(Normalization::Off)
        .build()
        .expect("the model loads");
    let document = encoder.encode_document("a").expect("it encodes");
    // The row of [D], number 2049, as `lookup` fills it.
    assert_eq!(document.row(1)[0], ((2049 * 8) % 7) as f32 + 0.5);
}

#[test]
fn a_graph_survives_reading_and_writing() {
    for fixture in TINY {
        for precision in [Precision::Fp32, Precision::Int8] {
            let original = bytes(fixture, precision);
            let mut rewritten = original.clone();
            rewritten.model = Graph::parse("model.onnx", original.model.clone().into())
                .expect("the fixture is a graph")
                .into_bytes();
            let (left, right) = (build(original), build(rewritten));
            let texts = ["a text", "and another one, somewhat longer"];
            assert_eq!(
                left.and_then(|encoder| encoder.encode_documents(&texts))
                    .expect("texts encode"),
                right
                    .and_then(|encoder| encoder.encode_documents(&texts))
                    .expect("texts encode"),
            );
        }
    }
}

/// A graph and its external weights, as exporters write large models.
fn externalize(file: &str) -> (Vec<u8>, Vec<u8>) {
    let mut graph = lookup(2050, 8);
    let table = &mut graph.initializer[0];
    let values = std::mem::take(&mut table.float_data);
    let weights = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    table.data_location = Some(1);
    table.external_data = vec![StringStringEntryProto {
        key: Some("location".to_owned()),
        value: Some(file.to_owned()),
    }];
    (graphs::model(graph), weights)
}

#[test]
fn external_weights() {
    let inside = build(with_graph(lookup(2050, 8))).expect("the model loads");
    let config = with_graph(lookup(1, 1)).config;
    for name in ["model.onnx_data", "model.onnx.data", "weights.bin"] {
        let (graph, weights) = externalize(name);
        let file = format!("onnx/{name}");
        let mut files: Vec<(&str, &[u8])> = vec![
            ("onnx_config.json", &config),
            ("tokenizer.json", TINY_MODERNBERT.tokenizer),
            ("onnx/model.onnx", &graph),
        ];
        refused(open(folder(&files).path()), "io", &[name, "reading"]);

        files.push((&file, &weights));
        let root = folder(&files);
        let encoder = open(root.path()).expect("the model loads");
        assert_eq!(
            encoder.encode_query("a").expect("it encodes"),
            inside.encode_query("a").expect("it encodes"),
        );

        let mut changed = weights.clone();
        changed[3] ^= 1;
        files.pop();
        files.push((&file, &changed));
        let other = open(folder(&files).path()).expect("the model loads");
        assert_ne!(
            encoder.fingerprint().space(),
            other.fingerprint().space(),
            "{name}: other weights are another space",
        );
        let raw = EncoderBuilder::from_dir(root.path())
            .with_normalization(Normalization::Off)
            .build()
            .expect("the model loads");
        let row = raw.encode_document("a").expect("it encodes");
        assert_eq!(row.row(1)[0], ((2049 * 8) % 7) as f32 + 0.5);
    }
}
