//! Models that give dense, sparse and multi-vector embeddings in one pass, as
//! exported graphs with three outputs and as heads beside a transformer.

use std::fs;
use std::path::Path;

use multivec::{
    AnyEncoder, BatchLimit, EncodeOptions, EncoderBuilder, Engine, HybridEmbedding, ModelKind,
    Optimization, Pooling, Precision, SparseEmbedding, TextKind,
};
use multivec_testing::folders::fixture;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

const BOUND: f32 = 1e-5;
const MODEL: &str = "hub/hybrid-xlmr";
/// The files of a model without weights.
const COMMON: [&str; 3] = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/// The fixture's embeddings of a text.
struct Expected {
    kind: TextKind,
    text: String,
    dense: Vec<f32>,
    indices: Vec<i64>,
    values: Vec<f32>,
    tokens: Vec<f32>,
}

fn expected() -> Vec<Expected> {
    let folder = fixture(MODEL);
    let read = |name: &str| fs::read(folder.join(name)).expect("the fixture has it");
    let (json, bytes) = (read("reference.json"), read("reference.safetensors"));
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    let tensors = SafeTensors::deserialize(&bytes).expect("they are valid");
    let floats = |tensor: TensorView<'_>| -> Vec<f32> {
        let values = tensor.data().chunks_exact(4);
        values
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect()
    };
    let kinds = [
        (TextKind::Query, "queries"),
        (TextKind::Document, "documents"),
    ];
    let mut found = Vec::new();
    for (kind, key) in kinds {
        for (at, text) in json[key].as_array().expect("texts").iter().enumerate() {
            let tensor = |name: &str| {
                let name = format!("{key}.{at}.{name}");
                tensors.tensor(&name).expect("it is among them")
            };
            let indices = tensor("indices");
            let indices = indices.data().chunks_exact(8);
            found.push(Expected {
                kind,
                text: text.as_str().expect("a text").to_owned(),
                dense: floats(tensor("dense")),
                indices: indices
                    .map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight bytes")))
                    .collect(),
                values: floats(tensor("values")),
                tokens: floats(tensor("tokens")),
            });
        }
    }
    assert!(found.len() > 20);
    found
}

/// A folder with the exported graph alone, and the fixture with both.
fn forms(exported: &Path) -> Vec<(String, EncoderBuilder)> {
    let model = fixture(MODEL);
    for file in COMMON {
        fs::copy(model.join(file), exported.join(file)).expect("it is copied");
    }
    fs::copy(model.join("onnx/model.onnx"), exported.join("model.onnx")).expect("it is copied");
    let sources = [
        ("exported", EncoderBuilder::from_dir(exported)),
        ("heads", EncoderBuilder::from_dir(&model)),
        (
            "graph beside heads",
            EncoderBuilder::from_dir(&model).with_file("onnx/model.onnx"),
        ),
    ];
    let mut forms = Vec::new();
    for (source, builder) in sources {
        for engine in [Engine::OnnxRuntime, Engine::Tract] {
            for form in [Optimization::Checked, Optimization::Off] {
                let builder = builder.clone().with_precision(Precision::Fp32);
                forms.push((
                    format!("{source} {engine:?} {form:?}"),
                    builder.with_engine(engine).with_optimization(form),
                ));
            }
        }
    }
    forms
}

fn assert_close(found: &[f32], expected: &[f32], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let distance = (found - expected).abs() / expected.abs().max(1.);
        assert!(distance < BOUND, "{name}: {found}, expected {expected}");
    }
}

fn assert_sparse(found: &SparseEmbedding, expected: &Expected, name: &str) {
    // Weights that rounding moves over 0 are no more than that.
    let mut row = vec![0.; found.dim];
    for (&index, &value) in expected.indices.iter().zip(&expected.values) {
        row[usize::try_from(index).expect("an index")] = value;
    }
    assert_close(&found.to_dense(), &row, name);
    assert!(found.indices.is_sorted(), "{name}");
}

fn assert_hybrid(found: &HybridEmbedding, expected: &Expected, name: &str) {
    let name = &format!("{name}: {:?}", expected.text);
    assert_close(&found.dense.values, &expected.dense, name);
    assert_sparse(&found.sparse, expected, name);
    assert_close(found.multi_vector.as_slice(), &expected.tokens, name);
}

fn texts(expected: &[Expected], kind: TextKind) -> Vec<&Expected> {
    expected.iter().filter(|one| one.kind == kind).collect()
}

#[test]
fn one_pass_gives_what_flag_embedding_gives() {
    let exported = tempfile::tempdir().expect("a temporary folder");
    let expected = expected();
    for (name, builder) in forms(exported.path()) {
        let encoder = builder
            .build_hybrid()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(encoder.kind(), ModelKind::Hybrid);
        assert_eq!(encoder.dim(), 32);
        let single = EncodeOptions::default().with_batch_limit(BatchLimit::Texts(1));
        let single = encoder.with_options(&single).expect("one text a batch");
        for kind in [TextKind::Query, TextKind::Document] {
            let expected = texts(&expected, kind);
            let plain: Vec<&str> = expected.iter().map(|one| one.text.as_str()).collect();
            for encoder in [&encoder, &single] {
                let found = encoder.encode(&plain, kind).expect("they are encoded");
                for (found, expected) in found.iter().zip(&expected) {
                    assert_hybrid(found, expected, &name);
                }
            }
        }
    }
}

#[test]
fn each_kind_can_be_loaded_by_itself() {
    let exported = tempfile::tempdir().expect("a temporary folder");
    let expected = expected();
    let fused = |(name, _): &(String, _)| name.ends_with("Checked");
    for (name, builder) in forms(exported.path()).into_iter().filter(fused) {
        let dense = builder.build_dense().expect("it has vectors of texts");
        let sparse = builder.build_sparse().expect("it has weights");
        let tokens = builder.build().expect("it has vectors of tokens");
        let hybrid = builder.build_hybrid().expect("it has all of them");
        assert_eq!((dense.dim(), tokens.dim(), sparse.dim()), (32, 24, 1200));
        assert_eq!(dense.fingerprint(), hybrid.fingerprint());
        for kind in [TextKind::Query, TextKind::Document] {
            let expected = texts(&expected, kind);
            let plain: Vec<&str> = expected.iter().map(|one| one.text.as_str()).collect();
            let dense = dense.encode(&plain, kind).expect("they are encoded");
            let sparse = sparse.encode(&plain, kind).expect("they are encoded");
            let tokens = tokens.encode(&plain, kind).expect("they are encoded");
            for (at, expected) in expected.iter().enumerate() {
                assert_close(&dense[at].values, &expected.dense, &name);
                assert_sparse(&sparse[at], expected, &name);
                assert_close(tokens[at].as_slice(), &expected.tokens, &name);
            }
        }
    }
}

#[test]
fn any_encoder_gives_all_and_pools_tokens() {
    let builder = EncoderBuilder::from_dir(fixture(MODEL)).with_precision(Precision::Fp32);
    let AnyEncoder::Hybrid(encoder) = builder.build_any().expect("it loads") else {
        panic!("it is of several kinds");
    };
    let text = "WebAssembly has fixed width instructions";
    let whole = encoder.encode_document(text).expect("it is encoded");
    let first = whole.multi_vector.row_tokens(0);
    assert!(first[0].span.is_some(), "the first row is of a word");
    let options = EncodeOptions::default().with_pooling(Pooling::by(2));
    let pooled = encoder.with_options(&options).expect("tokens are pooled");
    let pooled = pooled.encode_document(text).expect("it is encoded");
    assert!(pooled.multi_vector.tokens() < whole.multi_vector.tokens());
    assert_eq!(pooled.dense, whole.dense);
    let error = encoder
        .with_options(&EncodeOptions::default().with_dimensions(8))
        .expect_err("only dense models have fewer columns");
    assert!(error.to_string().contains("a hybrid model"), "{error}");
}

#[test]
fn pickled_heads_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = fixture(MODEL);
    for file in COMMON.into_iter().chain(["model.safetensors"]) {
        fs::copy(model.join(file), folder.path().join(file)).expect("it is copied");
    }
    for file in ["sparse_linear.pt", "colbert_linear.pt"] {
        fs::write(folder.path().join(file), "PK").expect("it is written");
    }
    let builder = EncoderBuilder::from_dir(folder.path());
    builder.build_dense().expect("texts have vectors");
    for error in [
        builder.build_sparse().map(drop),
        builder.build().map(drop),
        builder.build_hybrid().map(drop),
    ] {
        let error = error.expect_err("the heads are not read").to_string();
        for part in ["sparse_linear.safetensors", ".pt", "a pickle"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
