//! The models that are measured, each compared with PyLate's output first.

use std::fs;

use multivec::{EncodeOptions, Encoder, EncoderBuilder, ModelBytes, Precision};

use multivec_testing::models::load;
use multivec_testing::{MINILM, TINY, parity};

pub struct Model {
    pub name: &'static str,
    pub encoder: Encoder,
}

/// Every model that is there.
pub fn all() -> Vec<Model> {
    let mut models = vec![demo()];
    match std::env::var_os("MULTIVEC_FP32_MODEL") {
        Some(path) => {
            let model =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            models.push(demo_fp32(model));
        }
        None => {
            println!("MULTIVEC_FP32_MODEL is not set: FP32 is measured on the tiny models alone")
        }
    }
    models.extend(tiny());
    models
}

/// The demo model in INT8.
pub fn demo() -> Model {
    let encoder = load(&MINILM, Precision::Int8, &EncodeOptions::default());
    let fidelity = parity::fidelity(&MINILM, &encoder);
    assert!(
        fidelity.mean >= 0.985 && fidelity.minimum >= 0.94,
        "too far from the FP32 reference: {fidelity:?}"
    );
    Model {
        name: "minilm-colbert-int8",
        encoder,
    }
}

fn demo_fp32(model: Vec<u8>) -> Model {
    let bytes = ModelBytes::new(MINILM.config, MINILM.tokenizer, model, Precision::Fp32);
    let encoder = EncoderBuilder::from_bytes(bytes)
        .build()
        .unwrap_or_else(|error| panic!("MULTIVEC_FP32_MODEL: {error}"));
    let fidelity = parity::fidelity(&MINILM, &encoder);
    assert!(
        fidelity.minimum >= 0.99999,
        "off the reference: {fidelity:?}"
    );
    Model {
        name: "minilm-colbert-fp32",
        encoder,
    }
}

fn tiny() -> impl Iterator<Item = Model> {
    let names = ["tiny-bert-fp32", "tiny-modernbert-fp32"];
    names.into_iter().zip(TINY).map(|(name, fixture)| {
        parity::fp32_is_equal(fixture, &load);
        // Published for 64 tokens; both take more.
        let mut options = EncodeOptions::default();
        options.document_length = Some(300);
        Model {
            name,
            encoder: load(fixture, Precision::Fp32, &options),
        }
    })
}
