//! INT8 vectors of a text do not depend on the texts beside it.

#![allow(clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use multivec::fidelity::{BatchInvariance, Sample, batch_invariance};
use multivec::{EncodeOptions, Encoder, EncoderBuilder, Engine, Optimization, Precision};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const TINY: [&str; 2] = ["tests/fixtures/tiny-bert", "tests/fixtures/tiny-modernbert"];
const DEMO: &str = "models/minilm-colbert";
const BOUND: f32 = 1e-5;

fn load(model: &str, engine: Engine, optimization: Optimization) -> Encoder {
    EncoderBuilder::from_dir(format!("{ROOT}/{model}"))
        .with_precision(Precision::Int8)
        .with_engine(engine)
        .with_optimization(optimization)
        .build()
        .unwrap_or_else(|error| panic!("{model}: {error}"))
}

fn engines() -> Vec<Engine> {
    match cfg!(feature = "tract") {
        true => vec![Engine::OnnxRuntime, Engine::Tract],
        false => vec![Engine::OnnxRuntime],
    }
}

static ENCODERS: LazyLock<Vec<Encoder>> = LazyLock::new(|| {
    let models = TINY.into_iter();
    let pairs = models.flat_map(|model| engines().into_iter().map(move |engine| (model, engine)));
    pairs
        .map(|(model, engine)| load(model, engine, Optimization::Checked))
        .collect()
});

fn differences(encoder: &Encoder, texts: &[String]) -> BatchInvariance {
    batch_invariance(encoder, &EncodeOptions::default(), texts).expect("texts encode")
}

const PIECES: [&str; 12] = [
    "the ",
    "quantization ",
    "antidisestablishmentarianism ",
    "x",
    "!?.,;:",
    "\n\t",
    "🚀🔥",
    "مرحبا ",
    "東京",
    "e\u{301}",
    "[MASK]",
    "7.5e-3 ",
];

fn text() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Alone, in a batch of 32, in another order, beside a text of maximum
    /// length.
    #[test]
    fn company_makes_no_difference(texts in vec(text(), 1..40)) {
        for encoder in ENCODERS.iter() {
            let found = differences(encoder, &texts);
            prop_assert!(found.largest() <= BOUND, "{:?}: {:?}", encoder.info(), found);
        }
    }
}

#[test]
fn company_makes_no_difference_to_the_demo_model() {
    let texts = &Sample::built_in().documents[..32];
    for engine in engines() {
        let found = differences(&load(DEMO, engine, Optimization::Checked), texts);
        assert!(found.largest() <= BOUND, "{engine:?}: {found:?}");
    }
}

/// The measure is no constant: as published, one scale is for all texts.
#[test]
fn company_makes_a_difference_to_published_graphs() {
    let texts = Sample::built_in().documents;
    for model in TINY {
        let found = differences(&load(model, Engine::OnnxRuntime, Optimization::Off), &texts);
        for difference in [found.in_batch, found.reordered, found.beside_longest] {
            assert!(difference > 1e-3, "{model}: {found:?}");
        }
    }
}
