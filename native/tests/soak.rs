//! One encoder under load from many threads: no deadlock, no growth of memory,
//! correct results. `MULTIVEC_SOAK_SECONDS` sets the duration.

#![allow(clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use multivec::{Embedding, Encoder, EncoderBuilder, GraphForm, Optimization, Precision};

const THREADS: usize = 64;
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// Memory in bytes that allocators may still take after the warm-up.
const SLACK: usize = 64 << 20;

fn seconds() -> Duration {
    let given = std::env::var("MULTIVEC_SOAK_SECONDS");
    let seconds = given.map(|text| text.parse().expect("MULTIVEC_SOAK_SECONDS is a number"));
    Duration::from_secs_f64(seconds.unwrap_or(8.0))
}

/// Texts of all lengths, some longer than the model's maximum.
fn texts() -> Vec<String> {
    let words = [
        "bees",
        "honey",
        "capital",
        "of",
        "France",
        "quantization",
        "naïve",
        "東京",
    ];
    let text = |at: usize| {
        let count = (at * at * 7) % 150;
        let word = |word: usize| words[(at + word * word) % words.len()];
        (0..count).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..48).map(text).collect()
}

struct Load {
    encoder: Encoder,
    texts: Vec<String>,
    documents: Vec<Embedding>,
    queries: Vec<Embedding>,
}

impl Load {
    /// Encodes each text alone, without load.
    fn new(encoder: Encoder) -> Self {
        let texts = texts();
        let one_by_one = |encode: &dyn Fn(&str) -> multivec::Result<Embedding>| {
            let all = texts.iter().map(|text| encode(text));
            all.collect::<multivec::Result<_>>().expect("texts encode")
        };
        Self {
            documents: one_by_one(&|text| encoder.encode_document(text)),
            queries: one_by_one(&|text| encoder.encode_query(text)),
            encoder,
            texts,
        }
    }

    /// One of the calls that users make, on texts that depend on `number`.
    fn call(&self, number: usize) {
        let pick = |count: usize| -> Vec<usize> {
            let texts = self.texts.len();
            (0..count)
                .map(|at| (number * 31 + at * 7) % texts)
                .collect()
        };
        match number % 4 {
            0 => {
                let at = pick(1)[0];
                let found = self.encoder.encode_query(&self.texts[at]);
                assert_equal(&found.expect("it encodes"), &self.queries[at]);
            }
            1 => {
                let at = pick(1)[0];
                let found = self.encoder.encode_document(&self.texts[at]);
                assert_equal(&found.expect("it encodes"), &self.documents[at]);
            }
            2 => {
                let all = pick(1 + number % 13);
                let texts: Vec<&str> = all.iter().map(|&at| self.texts[at].as_str()).collect();
                let found = self.encoder.encode_documents(&texts).expect("texts encode");
                for (found, at) in found.iter().zip(all) {
                    assert_equal(found, &self.documents[at]);
                }
            }
            _ => {
                let all = pick(5);
                let texts = all.iter().map(|&at| &self.texts[at]);
                let stream = self.encoder.stream_documents(texts).with_read_ahead(2);
                for (found, &at) in stream.zip(&all) {
                    assert_equal(&found.expect("it encodes"), &self.documents[at]);
                }
            }
        }
    }
}

#[track_caller]
fn assert_equal(found: &Embedding, expected: &Embedding) {
    assert_eq!(found.tokens(), expected.tokens());
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!((found - expected).abs() <= 1e-5, "{found} {expected}");
    }
}

/// Calls from all threads for a time. Returns the number of calls.
fn run(load: &Arc<Load>, time: Duration) -> usize {
    let (sender, receiver) = mpsc::channel();
    let end = Instant::now() + time;
    for thread in 0..THREADS {
        let (load, sender) = (Arc::clone(load), sender.clone());
        thread::spawn(move || {
            let mut calls = 0;
            while Instant::now() < end {
                load.call(thread * 1000 + calls);
                calls += 1;
            }
            // If another thread was too late, the receiver is gone.
            let _ = sender.send(calls);
        });
    }
    drop(sender);
    let mut total = 0;
    for _ in 0..THREADS {
        // A thread that has panicked sends nothing either.
        let late = receiver.recv_timeout(time + Duration::from_secs(120));
        total += late.expect("every thread ends");
    }
    total
}

fn soak(encoder: Encoder) {
    let load = Arc::new(Load::new(encoder));
    run(&load, seconds() / 3);
    let before = multivec_testing::process::resident(std::process::id());
    let calls = run(&load, seconds() * 2 / 3);
    let after = multivec_testing::process::resident(std::process::id());
    assert!(calls >= THREADS, "{calls} calls");
    assert!(after < before + SLACK, "{before} bytes became {after}");
    println!("{calls} calls, {before} bytes before and {after} after");
}

fn load(model: &str, precision: Precision) -> Encoder {
    let builder = EncoderBuilder::from_dir(format!("{FIXTURES}/{model}"));
    let builder = builder.with_precision(precision);
    let loaded = builder.with_optimization(Optimization::Checked).build();
    loaded.expect("the model loads")
}

#[test]
fn floats() {
    soak(load("tiny-modernbert", Precision::Fp32));
}

#[test]
fn integers() {
    let encoder = load("tiny-bert", Precision::Int8);
    // Without our kernels, all texts of a batch share one scale.
    if multivec_kernels::are_fast() {
        assert!(matches!(encoder.info().graph, GraphForm::Fused(_)));
        soak(encoder);
    }
}
