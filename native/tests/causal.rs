//! Rerankers that generate text, as exported graphs with the logits of the
//! whole vocabulary for each token.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use multivec::{BatchLimit, EncodeOptions, EncoderBuilder, Engine, Optimization, Precision};
use multivec_testing::folders::fixture;
use multivec_testing::references::HubReference;
use serde_json::Value;

const BOUND: f32 = 1e-5;
const MODEL: &str = "hub/rerank-qwen3";
const EXPORTS: [&str; 2] = ["script-17", "dynamo-18"];

/// The model with an exported graph in the place of its weights.
fn with_graph(folder: &Path, export: &str) -> EncoderBuilder {
    let model = fixture(MODEL);
    fs::create_dir_all(folder.join("1_LogitScore")).expect("it is made");
    for path in [
        "1_LogitScore/config.json",
        "chat_template.jinja",
        "config.json",
        "config_sentence_transformers.json",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        fs::copy(model.join(path), folder.join(path)).expect("it is copied");
    }
    let graph = fixture("causal").join(format!("{export}.onnx"));
    fs::copy(graph, folder.join("model.onnx")).expect("it is copied");
    EncoderBuilder::from_dir(folder).with_precision(Precision::Fp32)
}

#[test]
fn logits_are_those_after_the_last_token() {
    let reference = HubReference::read(&fixture(MODEL));
    let expected: Vec<f32> = reference.rows("logits").concat();
    let documents = &reference.documents;
    let queries = reference.queries.iter();
    let pairs: Vec<(&String, &String)> = queries
        .flat_map(|query| documents.iter().map(move |document| (query, document)))
        .collect();
    assert_eq!(pairs.len(), expected.len());
    for export in EXPORTS {
        for engine in [Engine::OnnxRuntime, Engine::Tract] {
            for form in [Optimization::Checked, Optimization::Off] {
                let name = format!("{export} {engine:?} {form:?}");
                let folder = tempfile::tempdir().expect("a temporary folder");
                let builder = with_graph(folder.path(), export).with_engine(engine);
                let encoder = builder.with_optimization(form).build_cross_encoder();
                let encoder = encoder.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(encoder.dim(), 1, "{name}");
                let alone = EncodeOptions::default().with_batch_limit(BatchLimit::Texts(1));
                let alone = encoder.with_options(&alone).expect("one pair a batch");
                for encoder in [&encoder, &alone] {
                    let found = encoder.predict(&pairs).expect("pairs are scored");
                    for (found, expected) in found.iter().zip(&expected) {
                        let distance = (found.logits[0] - expected).abs() / expected.abs().max(1.);
                        assert!(distance < BOUND, "{name}: {distance}");
                    }
                }
            }
        }
    }
}

#[test]
fn tokens_beyond_the_vocabulary_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let builder = with_graph(folder.path(), EXPORTS[0]);
    let path = folder.path().join("1_LogitScore/config.json");
    let mut head: Value =
        serde_json::from_slice(&fs::read(&path).expect("it is there")).expect("JSON");
    head["true_token_id"] = 1202.into();
    fs::write(&path, head.to_string()).expect("it is written");
    let error = builder.build_cross_encoder().expect_err("no such token");
    let error = error.to_string();
    for part in ["logits", "more than 1202", "1202"] {
        assert!(error.contains(part), "{error}");
    }
}
