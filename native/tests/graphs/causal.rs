//! Rerankers that generate text, as exported graphs with the logits of the
//! whole vocabulary for each token.

use std::fs;
use std::path::Path;

use multivec::{
    BatchLimit, CrossEncoder, EncodeOptions, EncoderBuilder, Engine, GraphForm, Optimization,
    Precision,
};
use multivec_testing::engines::engines_and_forms;
use multivec_testing::folders::fixture;
use multivec_testing::references::{HubReference, distance};
use serde_json::Value;
use tempfile::TempDir;

const BOUND: f32 = 1e-5;
const MODEL: &str = "hub/rerank-qwen3";
const EXPORTS: [&str; 5] = ["script-17", "dynamo-18", "past-17", "past-18", "runtime-21"];

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
    let (name, precision) = match export {
        "runtime-float16" => ("model_fp16.onnx", Precision::Fp16),
        "runtime-bits-4" => ("model_q4.onnx", Precision::Int4),
        _ => ("model.onnx", Precision::Fp32),
    };
    fs::copy(graph, folder.join(name)).expect("it is copied");
    // Some graphs have their weights beside them.
    let weights = model.join("model.safetensors");
    fs::copy(weights, folder.join("weights.data")).expect("it is copied");
    EncoderBuilder::from_dir(folder).with_precision(precision)
}

/// An encoder, and the folder that its graph is in.
fn load(export: &str, engine: Engine, form: Optimization) -> (TempDir, CrossEncoder) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let builder = with_graph(folder.path(), export).with_engine(engine);
    let cache = folder.path().join("cache");
    let builder = builder.with_optimization(form).with_cache_dir(cache);
    let encoder = builder.build_cross_encoder();
    let encoder = encoder.unwrap_or_else(|error| panic!("{export} {engine:?} {form:?}: {error}"));
    (folder, encoder)
}

/// Every query with every document.
fn pairs(reference: &HubReference) -> Vec<(&String, &String)> {
    let queries = reference.queries.iter();
    let pairs = queries.flat_map(|query| reference.documents.iter().map(move |text| (query, text)));
    pairs.collect()
}

fn logits(encoder: &CrossEncoder, pairs: &[(&String, &String)]) -> Vec<f32> {
    let found = encoder.predict(pairs).expect("pairs are scored");
    found.iter().map(|found| found.logits[0]).collect()
}

#[test]
fn logits_are_those_after_the_last_token() {
    let reference = HubReference::read(&fixture(MODEL));
    let expected: Vec<f32> = reference.rows("logits").concat();
    let pairs = pairs(&reference);
    for export in EXPORTS {
        for (engine, form) in engines_and_forms() {
            let name = format!("{export} {engine:?} {form:?}");
            let (_folder, encoder) = load(export, engine, form);
            assert_eq!(encoder.dim(), 1, "{name}");
            let alone = EncodeOptions::default().with_batch_limit(BatchLimit::Texts(1));
            let alone = encoder.with_options(&alone).expect("one pair a batch");
            for encoder in [&encoder, &alone] {
                let distance = distance(&logits(encoder, &pairs), &expected);
                assert!(distance < BOUND, "{name}: {distance}");
            }
        }
    }
}

#[test]
fn attention_of_exports_with_a_past_is_fused() {
    for export in &EXPORTS[2..] {
        for &engine in Engine::COMPILED {
            let (_folder, encoder) = load(export, engine, Optimization::Checked);
            let GraphForm::Fused(fused) = encoder.info().graph else {
                panic!("{export} {engine:?}: {}", encoder.info().graph);
            };
            for count in [
                fused.attentions,
                fused.causal,
                fused.grouped,
                fused.head_norms,
                fused.rotary,
                fused.gated,
            ] {
                assert_eq!(count, 2, "{export} {engine:?}: {fused:?}");
            }
            assert_eq!(
                fused.rms_normalizations, 5,
                "{export} {engine:?}: {fused:?}"
            );
        }
    }
}

#[test]
fn weights_of_few_bits_are_fused() {
    let reference = HubReference::read(&fixture(MODEL));
    let pairs = pairs(&reference);
    let expected: Vec<f32> = reference.rows("logits").concat();
    let (_folder, quantized) = load("runtime-bits-4", Engine::OnnxRuntime, Optimization::Off);
    let quantized = logits(&quantized, &pairs);
    for (engine, form) in engines_and_forms() {
        for (export, expected, bound) in [
            ("runtime-float16", &expected, 2e-2),
            ("runtime-bits-4", &quantized, BOUND),
        ] {
            let name = format!("{export} {engine:?} {form:?}");
            let (_folder, encoder) = load(export, engine, form);
            match encoder.info().graph {
                GraphForm::Fused(fused) => {
                    let found = [fused.attentions, fused.head_norms, fused.rotary];
                    assert_eq!(found, [2; 3], "{name}");
                }
                form => assert_eq!(form, GraphForm::Original, "{name}"),
            }
            let distance = distance(&logits(&encoder, &pairs), expected);
            assert!(distance < bound, "{name}: {distance}");
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
