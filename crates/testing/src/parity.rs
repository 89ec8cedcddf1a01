//! Checks of an encoder against PyLate's references.

use multivec_core::encoder::QueryExpansion;
use multivec_core::pool::Pooling;
use multivec_core::score::max_sim;
use multivec_core::{Embedding, EncodeOptions, Encoder, Precision, TextKind};

use crate::{Fixture, Reference, Side};

const QUERIES: Side = Side("queries");
const DOCUMENTS: Side = Side("documents");

/// Loads a fixture on the engine under test.
pub type Load<'a> = &'a dyn Fn(&Fixture, Precision, &EncodeOptions) -> Encoder;

/// Compares token ids, attention masks and numbers of kept rows.
pub fn tokens_are_equal(fixture: &Fixture, encoder: &Encoder) {
    let reference = fixture.reference();
    for (side, kind) in [(QUERIES, TextKind::Query), (DOCUMENTS, TextKind::Document)] {
        let texts = reference.texts(side);
        let found = encoder.tokenize(&texts, kind).expect("texts tokenize");
        assert_eq!(found.len(), texts.len());
        for (at, text) in found.iter().enumerate() {
            let ids: Vec<u64> = text.input_ids().iter().map(|&id| id.into()).collect();
            let mask: Vec<u64> = text
                .attention_mask()
                .iter()
                .map(|&bit| bit.into())
                .collect();
            let place = format!("{} {}.{at}", fixture.name, side.0);
            assert_eq!(ids, reference.numbers(side, at, "input_ids"), "{place}");
            assert_eq!(
                mask,
                reference.numbers(side, at, "attention_mask"),
                "{place}"
            );
            let rows = text.kept().iter().filter(|&&kept| kept).count();
            let (shape, _) = reference.tensor(&format!("{}.{at}", side.0));
            assert_eq!(rows, shape[0], "{place}");
        }
    }
}

/// Compares FP32 embeddings, with and without expansion, pooled and scored.
pub fn fp32_is_equal(fixture: &Fixture, load: Load<'_>) {
    let reference = fixture.reference();
    let options = EncodeOptions::default();
    let encoder = load(fixture, Precision::Fp32, &options);
    let queries = encoder
        .encode_queries(&reference.texts(QUERIES))
        .expect("queries encode");
    let documents = encoder
        .encode_documents(&reference.texts(DOCUMENTS))
        .expect("documents encode");
    all_close(&reference, "queries", "", &queries, 1e-4);
    all_close(&reference, "documents", "", &documents, 1e-4);
    for found in queries.iter().chain(&documents) {
        for row in found.view().rows() {
            assert!((row.dot(&row) - 1.0).abs() < 1e-5);
        }
    }

    for factor in [2, 3] {
        let pooled: Vec<Embedding> = documents
            .iter()
            .map(|document| {
                document
                    .pooled(Pooling::by(factor))
                    .expect("a valid factor")
            })
            .collect();
        all_close(
            &reference,
            "documents",
            &format!(".pool{factor}"),
            &pooled,
            1e-3,
        );
        let mut options = options.clone();
        options.pooling = Some(Pooling::by(factor));
        let by_option = encoder
            .with_options(&options)
            .and_then(|encoder| encoder.encode_documents(&reference.texts(DOCUMENTS)))
            .expect("documents encode");
        assert_eq!(by_option, pooled);
    }

    let (shape, scores) = reference.tensor("maxsim");
    assert_eq!(shape, [queries.len(), documents.len()]);
    for (query, row) in queries.iter().zip(scores.chunks(documents.len())) {
        for (document, expected) in documents.iter().zip(row) {
            let found = max_sim(query, document).expect("dimensions agree");
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    let mut options = options;
    options.query_expansion = QueryExpansion::Off;
    let plain = load(fixture, Precision::Fp32, &options)
        .encode_queries(&reference.texts(QUERIES))
        .expect("queries encode");
    all_close(&reference, "queries", ".no_expansion", &plain, 1e-4);
}

/// FP32: a text has the same embedding alone and in a batch.
pub fn fp32_is_batch_invariant(fixture: &Fixture, encoder: &Encoder) {
    let texts = fixture.reference().texts(DOCUMENTS);
    let together = encoder.encode_documents(&texts).expect("documents encode");
    for (text, batched) in texts.iter().zip(&together) {
        let alone = encoder.encode_document(text).expect("a document encodes");
        let distance = largest_difference(alone.as_slice(), batched.as_slice());
        assert!(
            distance <= 1e-5,
            "{}: {distance} for {text:?}",
            fixture.name
        );
    }
}

/// Cosines of every row to the FP32 reference.
#[derive(Clone, Copy, Debug)]
pub struct Fidelity {
    pub mean: f64,
    /// The first percentile.
    pub p1: f64,
    pub minimum: f64,
    pub rows: usize,
}

/// Cosines of an INT8 encoder to the FP32 reference, each text encoded alone.
pub fn fidelity(fixture: &Fixture, encoder: &Encoder) -> Fidelity {
    let reference = fixture.reference();
    let mut cosines = Vec::new();
    for (side, kind) in [(QUERIES, TextKind::Query), (DOCUMENTS, TextKind::Document)] {
        for (at, text) in reference.texts(side).iter().enumerate() {
            let found = encoder.encode(&[text], kind).expect("a text encodes");
            let (shape, expected) = reference.tensor(&format!("{}.{at}", side.0));
            assert_eq!([found[0].tokens(), found[0].dim()], shape[..]);
            cosines.extend(cosines_of(found[0].as_slice(), &expected, shape[1]));
        }
    }
    cosines.sort_by(f64::total_cmp);
    Fidelity {
        mean: cosines.iter().sum::<f64>() / cosines.len() as f64,
        p1: cosines[cosines.len().div_ceil(100) - 1],
        minimum: cosines[0],
        rows: cosines.len(),
    }
}

fn all_close(reference: &Reference, side: &str, ending: &str, found: &[Embedding], tolerance: f32) {
    for (at, embedding) in found.iter().enumerate() {
        let name = format!("{side}.{at}{ending}");
        let (shape, expected) = reference.tensor(&name);
        assert_eq!([embedding.tokens(), embedding.dim()], shape[..], "{name}");
        let distance = largest_difference(embedding.as_slice(), &expected);
        assert!(distance <= tolerance, "{name}: off by {distance}");
        for cosine in cosines_of(embedding.as_slice(), &expected, shape[1]) {
            assert!(cosine >= 0.99999, "{name}: cosine {cosine}");
        }
    }
}

/// The largest difference of two components; infinite if one is NaN.
pub fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right).abs())
        .fold(0.0, |worst, next| {
            if next.is_nan() {
                f32::INFINITY
            } else {
                worst.max(next)
            }
        })
}

fn cosines_of(left: &[f32], right: &[f32], dim: usize) -> Vec<f64> {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter()
            .zip(right)
            .map(|(left, right)| f64::from(*left) * f64::from(*right))
            .sum()
    };
    left.chunks(dim)
        .zip(right.chunks(dim))
        .map(|(left, right)| dot(left, right) / (dot(left, left) * dot(right, right)).sqrt())
        .collect()
}
