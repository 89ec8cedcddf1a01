//! Graphs as they were published against fused ones: `cargo bench --bench
//! graph`, with tract too by `--features multivec/tract`.
//!
//! Both run in the same process on the same texts, in turns, so that what
//! disturbs the machine disturbs both; the table shows medians and their
//! ratio. Nothing is timed before both gave the same vectors. Time and peak
//! memory of loading are those of processes that do nothing else: as published,
//! fused for the first time, and from what was kept of it. Measured are the
//! demo model, its FP32 form where `MULTIVEC_FP32_MODEL` is the path of its
//! `model.onnx`, and what `cargo xtask bench-model` made. An argument that is
//! part of a name chooses models.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "graph/loading.rs"]
mod loading;
#[path = "encode/texts.rs"]
mod texts;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use multivec::{
    Encoder, EncoderBuilder, Engine, Error, ModelBytes, Optimization, Precision, TextKind,
};

use multivec_testing::MINILM;

/// Tokens of a document, and documents of a run.
const SHAPES: [(usize, usize); 3] = [(24, 32), (128, 8), (300, 8)];
const ROUNDS: usize = 9;

fn main() {
    if loading::run_child() {
        return;
    }
    let chosen = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let is_chosen = |name: &str| chosen.as_ref().is_none_or(|chosen| name.contains(chosen));
    for (name, builder) in models() {
        if !is_chosen(&name) {
            continue;
        }
        for engine in [Engine::OnnxRuntime, Engine::Tract] {
            match pair(&builder, engine) {
                Ok((published, fused)) => measure(&name, &published, &fused),
                Err(error @ Error::EngineUnavailable { .. }) => println!("{name}: {error}"),
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    if chosen.is_none() {
        measure_loading();
    }
}

fn models() -> Vec<(String, EncoderBuilder)> {
    let demo = |model: Vec<u8>, precision| {
        let bytes = ModelBytes::new(MINILM.config, MINILM.tokenizer, model, precision);
        EncoderBuilder::from_bytes(bytes)
    };
    let mut models = vec![(
        "minilm-colbert int8".to_owned(),
        demo(MINILM.int8.to_vec(), Precision::Int8),
    )];
    if let Some(path) = std::env::var_os("MULTIVEC_FP32_MODEL") {
        let model = fs::read(path).expect("MULTIVEC_FP32_MODEL is a file");
        models.push((
            "minilm-colbert fp32".to_owned(),
            demo(model, Precision::Fp32),
        ));
    }
    let folders = fs::read_dir(made()).into_iter().flatten();
    let mut folders: Vec<PathBuf> = folders.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    if folders.is_empty() {
        println!("no large model: `cargo xtask bench-model` makes one");
    }
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        for (precision, file) in [
            (Precision::Int8, "model_int8.onnx"),
            (Precision::Fp32, "model.onnx"),
        ] {
            if folder.join(file).is_file() {
                let builder = EncoderBuilder::from_dir(&folder).with_precision(precision);
                models.push((format!("{name} {precision}"), builder));
            }
        }
    }
    models
}

/// What `cargo xtask bench-model` made.
fn made() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-models")
}

fn large() -> PathBuf {
    made().join("gte-moderncolbert-shape")
}

/// What has the weights in files, as they are loaded from.
fn measure_loading() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/minilm-colbert");
    loading::measure("minilm-colbert int8", &demo, Precision::Int8);
    if let Some(path) = std::env::var_os("MULTIVEC_FP32_MODEL") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["onnx_config.json", "tokenizer.json"] {
            fs::copy(demo.join(name), folder.path().join(name)).expect("it can be copied");
        }
        fs::copy(path, folder.path().join("model.onnx")).expect("it can be copied");
        loading::measure("minilm-colbert fp32", folder.path(), Precision::Fp32);
    }
    for (precision, file) in [
        (Precision::Int8, "model_int8.onnx"),
        (Precision::Fp32, "model.onnx"),
    ] {
        if large().join(file).is_file() {
            let name = format!("gte-moderncolbert-shape {precision}");
            loading::measure(&name, &large(), precision);
        }
    }
}

/// The model as published, and fused.
fn pair(builder: &EncoderBuilder, engine: Engine) -> Result<(Encoder, Encoder), Error> {
    let builder = builder.clone().with_engine(engine);
    let load = |optimization| {
        let start = Instant::now();
        let encoder = builder.clone().with_optimization(optimization).build()?;
        println!(
            "loaded in {:.2} s: {}",
            start.elapsed().as_secs_f64(),
            encoder.info().graph
        );
        Ok::<_, multivec::Error>(encoder)
    };
    Ok((load(Optimization::Off)?, load(Optimization::Checked)?))
}

fn measure(name: &str, published: &Encoder, fused: &Encoder) {
    let engine = &published.info().engine;
    for (length, count) in SHAPES {
        let texts = texts::of_length(published, TextKind::Document, length, count);
        let cosine = compare(published, fused, &texts);
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (encoder, times) in [published, fused].into_iter().zip(&mut times) {
                let start = Instant::now();
                black_box(encoder.encode_documents(&texts)).expect("texts encode");
                times.push(start.elapsed());
            }
        }
        let [before, after] = times.map(median);
        println!(
            "{name}, {engine}, {count} x {length} tokens: {:.1} ms published, {:.1} ms fused, \
             ratio {:.2}; least cosine {cosine:.6}",
            before.as_secs_f64() * 1e3,
            after.as_secs_f64() * 1e3,
            before.as_secs_f64() / after.as_secs_f64(),
        );
    }
}

/// The least cosine of any row; also warms up.
fn compare(published: &Encoder, fused: &Encoder, texts: &[String]) -> f32 {
    let [published, fused] =
        [published, fused].map(|encoder| encoder.encode_documents(texts).expect("texts encode"));
    let pairs = published.iter().zip(&fused);
    let cosine = pairs
        .flat_map(|(left, right)| (0..left.tokens()).map(|at| left.row(at).dot(&right.row(at))))
        .fold(1., f32::min);
    assert!(cosine > 0.9, "the graphs differ: cosine {cosine}");
    cosine
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
