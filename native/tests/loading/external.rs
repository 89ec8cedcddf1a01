//! External weights, on each engine.

use std::fs;
use std::path::Path;

use multivec::{Encoder, EncoderBuilder, Normalization, Optimization, Precision};
use multivec_graph::onnx::TensorProto;
use multivec_graph::{Bytes, Graph, WeightsWriter, tensor_bytes};
use tempfile::TempDir;

use multivec_testing::engines::{ENGINES, open};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
const MODELS: [(&str, Precision, &str); 4] = [
    ("tiny-bert", Precision::Fp32, "model.onnx"),
    ("tiny-bert", Precision::Int8, "model_int8.onnx"),
    ("tiny-modernbert", Precision::Fp32, "model.onnx"),
    ("tiny-modernbert", Precision::Int8, "model_int8.onnx"),
];
const WEIGHTS: &str = "weights of a model.bin";
const TEXTS: [&str; 3] = [
    "One text.",
    "Another, rather longer text about nothing.",
    "",
];

/// A model with all weights of 64 bytes and more in an external file.
fn externalized(name: &str, file: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for other in ["onnx_config.json", "tokenizer.json"] {
        let source = format!("{FIXTURES}/{name}/{other}");
        fs::copy(source, folder.path().join(other)).expect("it can be copied");
    }
    let bytes = fs::read(format!("{FIXTURES}/{name}/{file}")).expect("the fixture can be read");
    let mut graph = Graph::parse(file, bytes.into()).expect("the fixture is a graph");
    let mut writer = WeightsWriter::new(WEIGHTS, Vec::new());
    let in_graph = |_: &TensorProto| -> multivec_graph::Result<Bytes> {
        panic!("no weights are external yet")
    };
    for tensor in &mut graph.proto_mut().initializer {
        let bytes = tensor_bytes(tensor, &in_graph).expect("bytes");
        if bytes.len() >= 64 && tensor.raw_data.is_some() {
            writer.add(tensor, &bytes).expect("memory can be written");
        }
    }
    fs::write(folder.path().join(file), graph.into_bytes()).expect("it is written");
    fs::write(folder.path().join(WEIGHTS), writer.into_inner()).expect("it is written");
    folder
}

#[test]
fn external_weights_give_the_same_vectors() {
    for (name, precision, file) in MODELS {
        let folder = externalized(name, file);
        let whole = format!("{FIXTURES}/{name}");
        for &engine in ENGINES {
            for form in [Optimization::Checked, Optimization::Off] {
                let load = |root: &Path| {
                    open(root, precision, engine, form)
                        .unwrap_or_else(|error| panic!("{name} {engine:?} {form:?}: {error}"))
                };
                let (inside, beside) = (load(whole.as_ref()), load(folder.path()));
                assert_eq!(inside.info().graph, beside.info().graph);
                let encode = |encoder: &Encoder| encoder.encode_documents(&TEXTS);
                assert_eq!(
                    encode(&inside).expect("texts encode"),
                    encode(&beside).expect("texts encode"),
                    "{name} {engine:?} {form:?}"
                );
            }
        }
    }
}

#[test]
fn external_weights_without_normalization() {
    let (name, precision, file) = MODELS[2];
    let folder = externalized(name, file);
    for &engine in ENGINES {
        let load = |root: &Path| {
            EncoderBuilder::from_dir(root)
                .with_precision(precision)
                .with_engine(engine)
                .with_normalization(Normalization::Off)
                .with_cache_dir(folder.path().join("cache"))
                .build()
                .unwrap_or_else(|error| panic!("{engine:?}: {error}"))
        };
        let whole = format!("{FIXTURES}/{name}");
        let row = |encoder: Encoder| encoder.encode_document(TEXTS[0]).expect("it encodes");
        let (inside, beside) = (row(load(whole.as_ref())), row(load(folder.path())));
        assert_eq!(inside, beside);
        assert!((inside.row(0).dot(&inside.row(0)) - 1.).abs() > 1e-2);
    }
}

#[test]
fn missing_and_truncated_files_are_named() {
    let (name, precision, file) = MODELS[2];
    for &engine in ENGINES {
        for form in [Optimization::Checked, Optimization::Off] {
            let folder = externalized(name, file);
            let weights = folder.path().join(WEIGHTS);
            let whole = fs::read(&weights).expect("it is there");
            fs::write(&weights, &whole[..whole.len() / 2]).expect("it is written");
            let error = open(folder.path(), precision, engine, form).expect_err("half the weights");
            assert_eq!(
                error.code(),
                "invalid_model",
                "{engine:?} {form:?}: {error}"
            );
            fs::remove_file(&weights).expect("it is there");
            let error = open(folder.path(), precision, engine, form).expect_err("no weights");
            assert_eq!(error.code(), "io", "{engine:?} {form:?}: {error}");
            assert!(error.to_string().contains(WEIGHTS), "{error}");
        }
    }
}

#[test]
fn external_weights_are_part_of_the_fingerprint() {
    let (name, precision, file) = MODELS[0];
    let folder = externalized(name, file);
    let weights = folder.path().join(WEIGHTS);
    let space = || {
        let spaces = ENGINES.iter().map(|&engine| {
            let encoder = open(folder.path(), precision, engine, Optimization::Checked);
            let encoder = encoder.expect("the model loads");
            encoder.fingerprint().space().to_owned()
        });
        let mut spaces: Vec<String> = spaces.collect();
        spaces.dedup();
        assert_eq!(spaces.len(), 1, "{spaces:?}");
        spaces.remove(0)
    };
    let before = space();
    let mut bytes = fs::read(&weights).expect("it is there");
    bytes[3] ^= 1;
    fs::write(&weights, bytes).expect("it is written");
    assert_ne!(before, space());
}
