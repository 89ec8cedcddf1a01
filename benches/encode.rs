//! Speed of encoding, pooling and scoring: `cargo bench --bench encode`.
//!
//! Measured are the demo model in INT8 and the tiny models in FP32; the demo
//! model in FP32 too where `MULTIVEC_FP32_MODEL` is the path of its
//! `model.onnx`. The tiny models say how much the SDK itself costs, not how
//! fast a real model is. Nothing is timed before its output was compared with
//! PyLate's.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "encode/models.rs"]
mod models;
#[path = "encode/texts.rs"]
mod texts;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use multivec::{Pooling, TextKind, max_sim};

use models::Model;

/// Tokens of a document, special tokens and marker included.
const LENGTHS: [usize; 3] = [24, 128, 300];
const DOCUMENTS: usize = 32;

fn documents(criterion: &mut Criterion) {
    for Model { name, encoder } in models::all() {
        let mut group = criterion.benchmark_group(format!("documents/{name}"));
        for length in LENGTHS {
            let texts = texts::of_length(&encoder, TextKind::Document, length, DOCUMENTS);
            let (mut runs, mut spent) = (0, Duration::ZERO);
            group.throughput(Throughput::Elements(DOCUMENTS as u64));
            group.bench_with_input(
                BenchmarkId::from_parameter(length),
                &texts,
                |bench, texts| {
                    bench.iter_custom(|count| {
                        let start = Instant::now();
                        for _ in 0..count {
                            black_box(encoder.encode_documents(texts)).expect("texts encode");
                        }
                        let taken = start.elapsed();
                        (runs, spent) = (runs + count, spent + taken);
                        taken
                    });
                },
            );
            if runs > 0 {
                let documents = (runs * DOCUMENTS as u64) as f64 / spent.as_secs_f64();
                println!(
                    "{name}, {length} tokens: {documents:.1} docs/s, {:.0} tokens/s",
                    documents * length as f64
                );
            }
        }
        group.finish();
    }
}

fn queries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("query");
    for Model { name, encoder } in models::all() {
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bench| {
            bench.iter(|| encoder.encode_query(black_box("which animal makes honey")));
        });
    }
    group.finish();
}

fn pooling_and_scoring(criterion: &mut Criterion) {
    let encoder = models::demo().encoder;
    let texts = texts::of_length(&encoder, TextKind::Document, 300, 1);
    let document = encoder.encode_document(&texts[0]).expect("it encodes");
    let query = encoder
        .encode_query("which animal makes honey")
        .expect("it encodes");
    assert_eq!([document.tokens(), document.dim()], [300, 128]);
    assert_eq!(query.tokens(), 32);

    let mut group = criterion.benchmark_group("pooling");
    for factor in [2, 3] {
        group.bench_with_input(
            BenchmarkId::new("300 rows", factor),
            &factor,
            |bench, &factor| {
                bench.iter(|| black_box(&document).pooled(Pooling::by(factor)));
            },
        );
    }
    group.finish();
    criterion.bench_function("max_sim/32x300", |bench| {
        bench.iter(|| max_sim(black_box(&query), black_box(&document)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = documents, queries, pooling_and_scoring
}
criterion_main!(benches);
