//! Names and folders of files.

use std::fs;

use multivec::{EncoderBuilder, Precision};

use multivec_testing::models::{build, bytes, folder, open, refused};
use multivec_testing::{Fixture, MINILM, TINY_BERT};

const CONFIG: &str = "onnx_config.json";
const OLDER_CONFIG: &str = "config_sentence_transformers.json";
const TOKENIZER: &str = "tokenizer.json";

fn fp32(fixture: &Fixture) -> &'static [u8] {
    fixture.fp32.expect("tiny models have FP32")
}

#[test]
fn both_configuration_names() {
    for name in [CONFIG, OLDER_CONFIG] {
        let root = folder(&[
            (name, TINY_BERT.config),
            (TOKENIZER, TINY_BERT.tokenizer),
            ("model.onnx", fp32(&TINY_BERT)),
        ]);
        let encoder = open(root.path()).expect("the model loads");
        assert_eq!(encoder.info().precision, Precision::Fp32);
        assert!(encoder.config().file.ends_with(name));
        assert_eq!(encoder.config().model_name.as_deref(), Some("tiny-bert"));
    }
}

#[test]
fn onnx_config_is_preferred() {
    let root = folder(&[
        (CONFIG, TINY_BERT.config),
        (OLDER_CONFIG, b"not even JSON"),
        (TOKENIZER, TINY_BERT.tokenizer),
        ("model.onnx", fp32(&TINY_BERT)),
    ]);
    let encoder = open(root.path()).expect("the model loads");
    assert!(encoder.config().file.ends_with(CONFIG));
}

#[test]
fn all_names_of_graphs() {
    let names = [
        ("model.onnx", Precision::Fp32),
        ("onnx/model.onnx", Precision::Fp32),
        ("model_int8.onnx", Precision::Int8),
        ("onnx/model_int8.onnx", Precision::Int8),
        ("model_quantized.onnx", Precision::Int8),
        ("onnx/model_quantized.onnx", Precision::Int8),
    ];
    for (name, precision) in names {
        let graph = TINY_BERT.model(precision).expect("tiny models have both");
        let root = folder(&[
            (CONFIG, TINY_BERT.config),
            (TOKENIZER, TINY_BERT.tokenizer),
            (name, graph),
        ]);
        let encoder = open(root.path()).expect("the model loads");
        assert_eq!(encoder.info().precision, precision, "{name}");
        assert!(encoder.info().model_file.ends_with(name));
        let from_bytes = build(bytes(&TINY_BERT, precision)).expect("the model loads");
        let text = "the same from a folder and from bytes";
        assert_eq!(
            encoder.encode_document(text).expect("it encodes"),
            from_bytes.encode_document(text).expect("it encodes"),
        );
    }
}

#[test]
fn int8_by_default_and_fp32_on_request() {
    let root = folder(&[
        (CONFIG, TINY_BERT.config),
        (TOKENIZER, TINY_BERT.tokenizer),
        ("model.onnx", fp32(&TINY_BERT)),
        ("model_int8.onnx", TINY_BERT.int8),
    ]);
    let encoder = open(root.path()).expect("the model loads");
    assert_eq!(encoder.info().precision, Precision::Int8);
    let encoder = EncoderBuilder::from_dir(root.path())
        .with_precision(Precision::Fp32)
        .build()
        .expect("the model loads");
    assert_eq!(encoder.info().precision, Precision::Fp32);
    assert!(encoder.info().model_file.ends_with("model.onnx"));
}

#[test]
fn a_missing_precision() {
    for (present, absent, file) in [
        (Precision::Int8, Precision::Fp32, "model_int8.onnx"),
        (Precision::Fp32, Precision::Int8, "model.onnx"),
    ] {
        let graph = TINY_BERT.model(present).expect("tiny models have both");
        let root = folder(&[
            (CONFIG, TINY_BERT.config),
            (TOKENIZER, TINY_BERT.tokenizer),
            (file, graph),
        ]);
        let place = root.path().display().to_string();
        let (what, name) = match absent {
            Precision::Int8 => ("the INT8 model", "onnx/model_quantized.onnx"),
            _ => ("the FP32 model", "onnx/model.onnx"),
        };
        let wanted = EncoderBuilder::from_dir(root.path()).with_precision(absent);
        refused(wanted.build(), "missing_file", &[&place, what, name]);

        let wanted = EncoderBuilder::from_bytes(bytes(&TINY_BERT, present)).with_precision(absent);
        let (expected, found) = (format!("expected {present}"), format!("found {absent}"));
        refused(
            wanted.build(),
            "invalid_option",
            &["`precision`", &expected, &found],
        );
    }
}

#[test]
fn missing_files() {
    let files: [(&str, &[u8]); 3] = [
        (CONFIG, TINY_BERT.config),
        (TOKENIZER, TINY_BERT.tokenizer),
        ("model.onnx", fp32(&TINY_BERT)),
    ];
    let missing: [&[&str]; 3] = [
        &["the configuration", CONFIG, OLDER_CONFIG],
        &["the tokenizer", TOKENIZER],
        &["the model", "onnx/model.onnx", "model_int8.onnx"],
    ];
    for (left_out, parts) in missing.iter().enumerate() {
        let mut present = files.to_vec();
        present.remove(left_out);
        let root = folder(&present);
        let place = root.path().display().to_string();
        let parts: Vec<&str> = parts.iter().copied().chain([place.as_str()]).collect();
        refused(open(root.path()), "missing_file", &parts);
    }
}

#[test]
fn a_missing_folder_and_a_file_in_its_place() {
    let root = folder(&[("model.onnx", b"")]);
    for name in ["absent", "model.onnx"] {
        let path = root.path().join(name);
        let place = path.display().to_string();
        refused(open(&path), "io", &[&place, "reading the model directory"]);
    }
}

#[test]
fn folders_in_the_place_of_files() {
    let root = folder(&[(CONFIG, TINY_BERT.config), (TOKENIZER, TINY_BERT.tokenizer)]);
    fs::create_dir(root.path().join("model.onnx")).expect("a folder can be made");
    refused(open(root.path()), "missing_file", &["the model"]);
}

#[test]
fn the_demo_model_loads() {
    let encoder = build(bytes(&MINILM, Precision::Int8)).expect("the model loads");
    assert_eq!(encoder.info().dim.unwrap_or(128), 128);
    assert!(encoder.info().uses_token_type_ids);
    assert_eq!(encoder.encode_query("a").expect("it encodes").dim(), 128);
}
