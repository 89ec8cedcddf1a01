//! INT8 vectors of a text do not depend on other texts in its batch.

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

static ENCODERS: LazyLock<Vec<Encoder>> = LazyLock::new(|| {
    let models = TINY.into_iter();
    let pairs =
        models.flat_map(|model| Engine::COMPILED.iter().map(move |&engine| (model, engine)));
    pairs
        .map(|(model, engine)| load(model, engine, Optimization::Checked))
        .collect()
});

fn differences(encoder: &Encoder, texts: &[String]) -> BatchInvariance {
    batch_invariance(encoder, &EncodeOptions::default(), texts).expect("texts encode")
}

const FRAGMENTS: [&str; 12] = [
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
    vec(select(&FRAGMENTS[..]), 0..40).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Alone, in a batch of 32, in another order, and next to a text of maximum
    /// length.
    #[test]
    fn the_batch_does_not_affect_vectors(texts in vec(text(), 1..40)) {
        for encoder in ENCODERS.iter() {
            let found = differences(encoder, &texts);
            prop_assert!(found.largest() <= BOUND, "{:?}: {:?}", encoder.info(), found);
        }
    }
}

#[test]
fn the_batch_does_not_affect_the_demo_model() {
    let texts = &Sample::built_in().documents[..32];
    for &engine in Engine::COMPILED {
        let found = differences(&load(DEMO, engine, Optimization::Checked), texts);
        assert!(found.largest() <= BOUND, "{engine:?}: {found:?}");
    }
}

/// The measure detects differences: in original graphs, all texts of a batch
/// share one scale.
#[test]
fn the_batch_affects_original_graphs() {
    let texts = Sample::built_in().documents;
    for model in TINY {
        let found = differences(&load(model, Engine::OnnxRuntime, Optimization::Off), &texts);
        for difference in [found.in_batch, found.reordered, found.beside_longest] {
            assert!(difference > 1e-3, "{model}: {found:?}");
        }
    }
}
