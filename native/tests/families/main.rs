//! Small encoders of each family, as exporters write them and tools rewrite
//! them: their graphs are fused, and give the vectors that plain ONNX Runtime
//! gives without optimizations.

#![allow(clippy::expect_used, clippy::panic)]

mod bound;
mod expected;
mod fixtures;

use multivec::{Encoder, EncoderBuilder, Engine, ModelBytes, Optimization, Result, TextKind};

use multivec_testing::engines::forms;

use expected::Expected;
use fixtures::Family;

fn load(family: &Family, engine: Engine, form: Optimization) -> Result<Encoder> {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let [config, tokenizer] = ["onnx_config.json", "tokenizer.json"].map(fixtures::read);
    EncoderBuilder::from_bytes(ModelBytes::new(
        config,
        tokenizer,
        family.model(),
        family.precision(),
    ))
    .with_engine(engine)
    .with_optimization(form)
    .with_cache_dir(cache.path())
    .build()
}

/// What is wrong with an encoder's vectors, of texts in batches and alone.
fn differences(family: &Family, encoder: &Encoder) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (kind, name) in [
        (TextKind::Document, "documents"),
        (TextKind::Query, "queries"),
    ] {
        let texts = fixtures::texts(name);
        let plain: Vec<_> = texts.iter().map(|text| text.text.as_str()).collect();
        let mut alone = Vec::new();
        for given in &texts {
            let text = [given.text.as_str()];
            let tokens = encoder.tokenize(&text, kind)?;
            assert_eq!(tokens[0].input_ids(), given.ids, "{text:?}");
            alone.extend(encoder.encode(&text, kind)?);
        }
        let bound = family.bound(name, &texts);
        for (how, found) in [
            ("together", encoder.encode(&plain, kind)?),
            ("alone", alone),
        ] {
            let rows = fixtures::rows_of(&found, &texts);
            wrong.extend(
                bound
                    .exceeded(&rows)
                    .map(|what| format!("{name} {how}: {what}")),
            );
        }
    }
    Ok(wrong)
}

fn check(engine: Engine) {
    let expected = Expected::read();
    let mut failures = Vec::new();
    for family in Family::all() {
        for &form in forms(engine) {
            let mut fail =
                |what: String| failures.push(format!("{}: {form:?}: {what}", family.name));
            let refused = expected.is_refused(&family, engine);
            let encoder = match (load(&family, engine, form), refused) {
                (Ok(encoder), false) => encoder,
                (Err(_), true) => continue,
                (Ok(_), true) => {
                    fail("loads, but listed as refused".to_owned());
                    continue;
                }
                (Err(error), false) => {
                    fail(error.to_string());
                    continue;
                }
            };
            match differences(&family, &encoder) {
                Ok(wrong) => wrong.into_iter().for_each(&mut fail),
                Err(error) => fail(error.to_string()),
            }
            if form == Optimization::Checked {
                let wrong = expected.wrong(&family, &encoder.info().graph);
                wrong.into_iter().for_each(&mut fail);
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn onnxruntime_gives_the_vectors_of_each_family() {
    check(Engine::OnnxRuntime);
}

#[cfg(feature = "tract")]
#[test]
fn tract_gives_the_vectors_of_each_family() {
    check(Engine::Tract);
}
