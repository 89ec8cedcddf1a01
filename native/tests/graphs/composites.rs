//! Operators that stand for several others: taken apart for tract, they give
//! the values of ONNX Runtime, which has them as they are.

use multivec::{
    Embedding, Encoder, EncoderBuilder, Engine, GraphForm, Normalization, Optimization,
};
use multivec_testing::composites::{CONTRIB_CASES, NEW_CASES, NEWEST_CASES, QUANTIZED_CASES};
use multivec_testing::models::with_graph;
use multivec_testing::{group_query, notation};

/// Loads a model; fused ones have to give the vectors of the original.
fn load(model: &[u8], engine: Engine, form: Optimization) -> Result<Encoder, multivec::Error> {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let encoder = EncoderBuilder::from_bytes(with_graph(model))
        .with_engine(engine)
        .with_normalization(Normalization::Off)
        .with_optimization(form)
        .with_cache_dir(cache.path())
        .build()?;
    Ok(encoder)
}

/// Texts of a batch, two of them padded, and a query with tokens that are not
/// attended to.
fn encode(encoder: &Encoder) -> Result<Vec<Embedding>, multivec::Error> {
    let texts = [
        "One text.",
        "Another, rather longer text about nothing.",
        "A third one.",
    ];
    let mut found = encoder.encode_documents(&texts)?;
    found.push(encoder.encode_query("What is it?")?);
    Ok(found)
}

/// The forms that have to give the values of the original.
const FORMS: [(Engine, Optimization); 3] = [
    (Engine::Tract, Optimization::Off),
    (Engine::Tract, Optimization::Checked),
    (Engine::OnnxRuntime, Optimization::Checked),
];

fn check(cases: &[(&str, &str)], opset: i64, forms: &[(Engine, Optimization)]) {
    let mut failures = Vec::new();
    for (name, lines) in cases {
        let model = notation::model(lines, opset);
        let oracle = load(&model, Engine::OnnxRuntime, Optimization::Off);
        let expected = match oracle.and_then(|encoder| encode(&encoder)) {
            Ok(expected) => expected,
            Err(error) => {
                failures.push(format!("{name}: ONNX Runtime: {error}"));
                continue;
            }
        };
        for &(engine, form) in forms {
            let found = load(&model, engine, form).and_then(|encoder| {
                // Fused graphs give the vectors of the original.
                if let form @ GraphForm::Refused { .. } = encoder.info().graph {
                    failures.push(format!("{name}: {engine:?}: {form}"));
                }
                encode(&encoder)
            });
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    failures.push(format!("{name}: {engine:?} {form:?}: {error}"));
                    continue;
                }
            };
            for (expected, found) in expected.iter().zip(&found) {
                assert!(!expected.as_slice().is_empty(), "{name}");
                assert_eq!(expected.as_slice().len(), found.as_slice().len(), "{name}");
                let mut pairs = expected.as_slice().iter().zip(found.as_slice());
                let far = pairs.find(|&(&expected, &found)| !is_near(expected, found));
                if let Some((expected, found)) = far {
                    failures.push(format!(
                        "{name}: {engine:?} {form:?}: expected {expected}, found {found}"
                    ));
                    break;
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// False for NaN.
fn is_near(expected: f32, found: f32) -> bool {
    (expected - found).abs() <= 1e-5 * expected.abs().max(1.)
}

#[test]
fn operators_of_onnx_runtime() {
    check(CONTRIB_CASES, 17, &FORMS);
}

#[test]
fn operators_of_set_23() {
    check(NEW_CASES, 23, &FORMS);
}

#[test]
fn operators_of_set_24() {
    check(NEWEST_CASES, 24, &FORMS);
}

#[test]
fn group_query_attention() {
    for case in group_query::CASES {
        let lines = case.lines();
        check(&[(case.name, &lines)], 17, &FORMS);
        let model = notation::model(&lines, 17);
        for &engine in Engine::COMPILED {
            let encoder = load(&model, engine, Optimization::Checked);
            let encoder = encoder.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let (mut attentions, mut rotary, mut windowed) = (0, 0, 0);
            if let GraphForm::Fused(fused) = encoder.info().graph {
                (attentions, rotary, windowed) = (fused.attentions, fused.rotary, fused.windowed);
            }
            let expected = [case.attentions, case.rotary, case.windowed];
            assert_eq!([attentions, rotary, windowed], expected, "{}", case.name);
        }
    }
}

#[test]
fn quantized_operators() {
    check(QUANTIZED_CASES, 17, &FORMS[..1]);
    for (name, lines) in QUANTIZED_CASES {
        let model = notation::model(lines, 17);
        for &engine in Engine::COMPILED {
            let encoder = load(&model, engine, Optimization::Checked);
            let encoder = encoder.unwrap_or_else(|error| panic!("{name}: {error}"));
            let GraphForm::Fused(fused) = encoder.info().graph else {
                panic!("{name}: {}", encoder.info().graph);
            };
            assert_eq!(fused.quantized, 1, "{name}");
        }
    }
}
