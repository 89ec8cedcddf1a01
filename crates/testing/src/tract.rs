//! The parity suite on tract, natively and in browsers.

use multivec_core::{EncodeOptions, Encoder, ModelConfig, ModelParts, Precision, WeightsHasher};
use multivec_tract::TractBackend;

use crate::{Fixture, MINILM, TINY, parity};

/// Loads a fixture into tract.
pub fn load(fixture: &Fixture, precision: Precision, options: &EncodeOptions) -> Encoder {
    let parts = ModelConfig::from_json("onnx_config.json", fixture.config)
        .and_then(|config| ModelParts::new(config, "tokenizer.json", fixture.tokenizer))
        .expect("config and tokenizer are valid");
    let model = fixture
        .model(precision)
        .expect("the fixture has this precision");
    let mut weights = WeightsHasher::new();
    weights.update(model);
    let model = model.to_vec();
    TractBackend::load("model.onnx", model, precision, options.normalization)
        .and_then(|backend| Encoder::new(parts, Box::new(backend), weights, options))
        .unwrap_or_else(|error| panic!("{}: {error}", fixture.name))
}

pub fn tokens() {
    for fixture in TINY {
        let encoder = load(fixture, Precision::Fp32, &EncodeOptions::default());
        parity::tokens_are_equal(fixture, &encoder);
    }
}

pub fn fp32() {
    for fixture in TINY {
        parity::fp32_is_equal(fixture, &load);
    }
}

pub fn fp32_batches() {
    for fixture in TINY {
        let encoder = load(fixture, Precision::Fp32, &EncodeOptions::default());
        parity::fp32_is_batch_invariant(fixture, &encoder);
    }
}

/// Bounds are a little below the measured values, which are returned for logs.
pub fn int8_of_the_demo_model() -> String {
    let encoder = load(&MINILM, Precision::Int8, &EncodeOptions::default());
    parity::tokens_are_equal(&MINILM, &encoder);
    let found = parity::fidelity(&MINILM, &encoder);
    assert!(found.mean >= 0.998, "{found:?}");
    assert!(found.p1 >= 0.996, "{found:?}");
    assert!(found.minimum >= 0.985, "{found:?}");
    println!("INT8 against FP32: {found:?}");
    format!("{found:?}")
}
