//! Graphs whose vectors change with padding, and those that run single texts
//! alone.

use multivec::{
    Backend, BackendInfo, BatchShapes, EncodeOptions, Encoder, EncoderBuilder, Engine, Error,
    ModelConfig, ModelParts, Optimization, Padding, Precision, Result, RunMode, TextKind,
    TokenBatch, TokenStates, WeightsHasher,
};
use multivec_testing::folders::fixture;
use multivec_testing::models::refused;
use multivec_testing::parity::largest_difference;
use multivec_testing::{TINY, TINY_BERT};

/// Padding is attended to.
const SENSITIVE: &str = "failing/08-padding-changes-vectors";

const TEXTS: [&str; 5] = [
    "a",
    "a text of some words",
    "b",
    "a text that is longer than all of the others by far, so that they would be padded",
    "c d",
];

fn load(name: &str, engine: Engine) -> Encoder {
    EncoderBuilder::from_dir(fixture(name))
        .with_engine(engine)
        .build()
        .expect("the model loads")
}

#[test]
fn padding_that_changes_vectors_is_avoided() {
    for &engine in Engine::COMPILED {
        let encoder = load(SENSITIVE, engine);
        let Padding::Avoided { distance } = encoder.info().padding else {
            panic!("{engine:?}: {:?}", encoder.info());
        };
        assert!(distance > 0.05, "{distance}");
        for kind in [TextKind::Query, TextKind::Document] {
            let together = encoder.encode(&TEXTS, kind).expect("texts encode");
            for (text, found) in TEXTS.iter().zip(&together) {
                let alone = encoder.encode(&[text], kind).expect("a text encodes");
                let difference = largest_difference(alone[0].as_slice(), found.as_slice());
                assert!(difference <= 1e-5, "{engine:?}: {difference} for {text:?}");
            }
        }
    }
}

#[test]
fn shapes_with_padding_are_refused() {
    let buckets = EncodeOptions::default().with_batch_shapes(BatchShapes::Buckets);
    let encoder = load(SENSITIVE, Engine::Auto);
    let parts = ["`batch_shapes`", "padding", "found buckets"];
    refused(encoder.with_options(&buckets), "invalid_option", &parts);
    let builder = EncoderBuilder::from_dir(fixture(SENSITIVE)).with_encode_options(buckets);
    refused(builder.build(), "invalid_option", &parts);
}

/// Original INT8 graphs too, whose vectors depend on any neighbour.
#[test]
fn padding_is_allowed_otherwise() {
    for &engine in Engine::COMPILED {
        for optimization in [Optimization::Checked, Optimization::Off] {
            for precision in [Precision::Fp32, Precision::Int8] {
                for model in TINY {
                    let encoder = EncoderBuilder::from_dir(fixture(model.name))
                        .with_precision(precision)
                        .with_engine(engine)
                        .with_optimization(optimization)
                        .build()
                        .expect("the model loads");
                    let info = encoder.info();
                    assert_eq!(info.padding, Padding::Allowed, "{info:?}");
                }
            }
        }
    }
}

/// Runs batches of a single text.
struct Single(BackendInfo);

impl Backend for Single {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn run(&self, batch: &TokenBatch, _: RunMode) -> Result<TokenStates> {
        let shape = [batch.rows, batch.length];
        match batch.rows {
            1 => Ok(TokenStates::new(vec![1.; batch.length * 32], 32)),
            _ => Err(Error::inference("single", shape, "one row expected")),
        }
    }
}

#[test]
fn a_graph_for_single_texts_is_refused() {
    let config = ModelConfig::from_json("onnx_config.json", TINY_BERT.config);
    let config = config.expect("the configuration is valid");
    let parts = ModelParts::new(config, "tokenizer.json", TINY_BERT.tokenizer);
    let info = BackendInfo::new("single", Precision::Fp32, "single.bin")
        .with_dim(32)
        .with_token_type_ids();
    let encoder = Encoder::new(
        parts.expect("the tokenizer is valid"),
        Box::new(Single(info)),
        WeightsHasher::new(),
        &EncodeOptions::default(),
    );
    let parts = ["single.bin", "batches", "[2, 8]", "one row expected"];
    refused(encoder, "model_mismatch", &parts);
}
