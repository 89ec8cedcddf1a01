//! Dense, sparse and reranking models against sentence-transformers, from
//! folders that have no ONNX.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;

use multivec::{BatchLimit, EncoderBuilder, Engine, Optimization, Precision, TextKind};
use multivec_testing::folders::hub_models_of;
use multivec_testing::references::HubReference;

/// The largest difference to the reference, in multiples of a value beyond 1.
const BOUND: f32 = 1e-5;

/// That of sparse weights. Computed in 64 bits, the reference of
/// `sparse-distilbert-splade` itself is 3.1e-5 off, since its random weights
/// amplify rounding.
const SPARSE_BOUND: f32 = 4e-5;

const ENGINES: [Engine; 2] = [Engine::OnnxRuntime, Engine::Tract];
const FORMS: [Optimization; 2] = [Optimization::Checked, Optimization::Off];

/// In floats, as the references are.
fn builders(folder: &Path) -> impl Iterator<Item = (String, EncoderBuilder)> {
    let builder = EncoderBuilder::from_dir(folder).with_precision(Precision::Fp32);
    ENGINES.into_iter().flat_map(move |engine| {
        let builder = builder.clone().with_engine(engine);
        let folder = builder_name(&builder, &engine);
        FORMS.into_iter().map(move |form| {
            let builder = builder.clone().with_optimization(form);
            (format!("{folder} {form:?}"), builder)
        })
    })
}

fn builder_name(builder: &EncoderBuilder, engine: &Engine) -> String {
    format!("{builder:?}")
        .split('"')
        .nth(1)
        .map_or_else(String::new, |folder| format!("{folder} {engine:?}"))
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| -> f32 {
        left.iter()
            .zip(right)
            .map(|(left, right)| left * right)
            .sum()
    };
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// The largest difference of a component.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let differences =
        pairs.map(|(found, expected)| (found - expected).abs() / expected.abs().max(1.));
    differences.fold(0., f32::max)
}

#[test]
fn dense_vectors_are_those_of_sentence_transformers() {
    for folder in hub_models_of("dense") {
        let reference = HubReference::read(&folder);
        for (name, builder) in builders(&folder) {
            let encoder = builder
                .build_dense()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for (kind, key, texts) in [
                (TextKind::Query, "queries", &reference.queries),
                (TextKind::Document, "documents", &reference.documents),
            ] {
                let expected = reference.rows(key);
                let together = encoder.encode(texts, kind).expect("texts are encoded");
                for (at, (found, expected)) in together.iter().zip(&expected).enumerate() {
                    let alone = encoder
                        .encode(&texts[at..=at], kind)
                        .expect("it is encoded");
                    for found in [found, &alone[0]] {
                        let distance = distance(&found.values, expected);
                        let cosine = 1. - cosine(&found.values, expected);
                        assert!(
                            distance < BOUND * 10. && cosine < BOUND,
                            "{name}, {key} {at} {:?}: {distance}, {cosine}",
                            texts[at]
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sparse_weights_are_those_of_sentence_transformers() {
    for folder in hub_models_of("sparse") {
        let reference = HubReference::read(&folder);
        for (name, builder) in builders(&folder) {
            let encoder = builder
                .build_sparse()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for (kind, key, texts) in [
                (TextKind::Query, "queries", &reference.queries),
                (TextKind::Document, "documents", &reference.documents),
            ] {
                let expected = reference.rows(key);
                let together = encoder.encode(texts, kind).expect("texts are encoded");
                for (at, (found, expected)) in together.iter().zip(&expected).enumerate() {
                    let alone = encoder
                        .encode(&texts[at..=at], kind)
                        .expect("it is encoded");
                    for found in [found, &alone[0]] {
                        let distance = distance(&found.to_dense(), expected);
                        assert!(distance < SPARSE_BOUND, "{name}, {key} {at}: {distance}");
                        assert!(found.indices.is_sorted());
                        assert!(found.values.iter().all(|&value| value > 0.));
                    }
                }
            }
        }
    }
}

#[test]
fn logits_and_scores_are_those_of_sentence_transformers() {
    for folder in hub_models_of("rerank") {
        let reference = HubReference::read(&folder);
        let (logits, scores) = (reference.rows("logits"), reference.rows("scores"));
        for (name, builder) in builders(&folder) {
            let encoder = builder
                .build_cross_encoder()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let single = encoder
                .with_options(
                    &multivec::EncodeOptions::default().with_batch_limit(BatchLimit::Texts(1)),
                )
                .expect("one text a batch");
            for (at, query) in reference.queries.iter().enumerate() {
                let pairs: Vec<(&str, &str)> = reference
                    .documents
                    .iter()
                    .map(|document| (query.as_str(), document.as_str()))
                    .collect();
                for encoder in [&encoder, &single] {
                    let found = encoder.predict(&pairs).expect("pairs are scored");
                    for (document, found) in found.iter().enumerate() {
                        let distance = distance(&found.logits, &[logits[at][document]]);
                        let of_scores = (found.scores[0] - scores[at][document]).abs();
                        assert!(
                            distance < BOUND && of_scores < BOUND,
                            "{name}, query {at}, document {document}: {distance}, {of_scores}"
                        );
                    }
                }
                let ranking = encoder
                    .rank(query, &reference.documents)
                    .expect("they are ranked");
                assert!(ranking.is_sorted_by(|one, other| one.logit >= other.logit));
                assert_eq!(ranking.len(), reference.documents.len());
            }
        }
    }
}

#[test]
fn models_of_another_kind_are_refused_by_name() {
    let folder = hub_models_of("dense").remove(0);
    let builder = EncoderBuilder::from_dir(&folder);
    let error = builder.build_sparse().expect_err("it is dense").to_string();
    assert!(
        error.contains("a sparse model") && error.contains("a dense model"),
        "{error}"
    );
    let any = builder.build_any().expect("it loads");
    assert_eq!(any.kind(), multivec::ModelKind::Dense);
}
