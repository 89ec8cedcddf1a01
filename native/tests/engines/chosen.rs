//! The choice of an engine.

use multivec::{Encoder, EncoderBuilder, Engine, Precision, Result};

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/tiny-modernbert"
);

fn load(engine: Engine) -> Result<Encoder> {
    EncoderBuilder::from_dir(MODEL)
        .with_precision(Precision::Fp32)
        .with_engine(engine)
        .build()
}

#[cfg(feature = "tract")]
#[test]
fn both_engines_give_the_same_vectors() {
    let (ort, tract) = (
        load(Engine::OnnxRuntime).expect("ONNX Runtime loads the model"),
        load(Engine::Tract).expect("tract loads the model"),
    );
    assert_eq!(ort.info().engine, "onnxruntime");
    assert_eq!(tract.info().engine, "tract");
    assert_eq!(ort.fingerprint().space(), tract.fingerprint().space());
    assert_ne!(ort.fingerprint().computed(), tract.fingerprint().computed());

    let texts = [
        "One text.",
        "Another, rather longer text about nothing.",
        "",
    ];
    let (left, right) = (
        ort.encode_documents(&texts).expect("ONNX Runtime encodes"),
        tract.encode_documents(&texts).expect("tract encodes"),
    );
    assert_eq!(left.len(), texts.len());
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left.tokens(), right.tokens());
        for (left, right) in left.view().rows().into_iter().zip(right.view().rows()) {
            assert!(left.dot(&right) >= 0.99999, "{}", left.dot(&right));
        }
    }
}

#[cfg(feature = "tract")]
#[test]
fn tract_refuses_a_tokenizer_with_more_tokens_than_the_model() {
    let read = |name| std::fs::read(format!("{MODEL}/{name}")).expect("the file is there");
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&read("tokenizer.json")).expect("JSON");
    let added = tokenizer["added_tokens"].as_array_mut().expect("a list");
    let mut token = added[0].clone();
    token["id"] = 2050.into();
    token["content"] = "[beyond]".into();
    added.push(token);
    let error = EncoderBuilder::from_bytes(multivec::ModelBytes::new(
        read("onnx_config.json"),
        tokenizer.to_string(),
        read("model.onnx"),
        Precision::Fp32,
    ))
    .with_engine(Engine::Tract)
    .build()
    .expect_err("the model has fewer tokens");
    assert_eq!(error.code(), "model_mismatch");
    let message = error.to_string();
    assert!(
        message.contains("expected token ids below 2050"),
        "{message}"
    );
}
