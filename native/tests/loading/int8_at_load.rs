//! Weights in safetensors, quantized when they are loaded.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{Encoder, EncoderBuilder, Engine, GraphForm, Optimization, Precision, Quantization};
use multivec_testing::demo::{self, Files};
use multivec_testing::folders::{fixture, hub_models};
use multivec_testing::parity::largest_difference;
use multivec_testing::{MINILM, models, parity};

const ENGINES: &[Engine] = Engine::COMPILED;
const WEIGHTS: &str = "model.safetensors";
const TEXTS: [&str; 3] = [
    "Bees collect nectar and turn it into honey.",
    "Paris.",
    "A text of two sentences. Here is the other, which is somewhat longer than the first.",
];

fn write(files: &Files) -> tempfile::TempDir {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    models::folder(&files)
}

fn build(builder: EncoderBuilder) -> Encoder {
    builder.build().expect("the model loads")
}

fn vectors(encoder: &Encoder) -> Vec<f32> {
    let found = encoder.encode_documents(&TEXTS).expect("texts encode");
    found
        .iter()
        .flat_map(|one| one.as_slice())
        .copied()
        .collect()
}

/// Rows of length 1.
fn units(rows: &[f32], dim: usize) -> Vec<f32> {
    let units = rows.chunks(dim).flat_map(|row| {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter().map(move |value| value / length)
    });
    units.collect()
}

/// Mean cosine of rows of length 1.
fn mean_cosine(one: &[f32], other: &[f32], dim: usize) -> f64 {
    assert_eq!(one.len(), other.len());
    let products = one.iter().zip(other).map(|(a, b)| f64::from(a * b));
    products.sum::<f64>() / (one.len() / dim) as f64
}

#[test]
fn floats_are_those_of_the_graph() {
    let folder = write(&demo::safetensors());
    let exported = models::folder(&[
        ("onnx_config.json", MINILM.config),
        ("tokenizer.json", MINILM.tokenizer),
        ("model.onnx", &demo::onnx()),
    ]);
    for &engine in ENGINES {
        let [found, expected] = [folder.path(), exported.path()].map(|path| {
            let builder = EncoderBuilder::from_dir(path).with_engine(engine);
            let encoder = build(builder.with_precision(Precision::Fp32));
            assert_eq!(encoder.info().precision, Precision::Fp32);
            assert_eq!(encoder.info().quantization, Quantization::Stored);
            vectors(&encoder)
        });
        let distance = largest_difference(&found, &expected);
        println!("{engine:?}: {distance:e}");
        assert!(distance <= 1e-5, "{engine:?}: {distance}");
    }
}

#[test]
fn the_demo_model_is_close_to_its_floats() {
    let files = demo::safetensors();
    let folder = write(&files);
    let mut all = Vec::new();
    for &engine in ENGINES {
        let encoder = build(EncoderBuilder::from_dir(folder.path()).with_engine(engine));
        assert_eq!(encoder.info().precision, Precision::Int8);
        assert_eq!(encoder.info().quantization, Quantization::AtLoad);
        parity::tokens_are_equal(&MINILM, &encoder);
        let found = parity::fidelity(&MINILM, &encoder);
        println!("{engine:?}: {found:?}");
        assert!(found.mean >= 0.99 && found.p1 >= 0.97, "{found:?}");
        let from_memory = EncoderBuilder::from_files(files.clone()).with_engine(engine);
        let from_memory = build(from_memory);
        assert_eq!(from_memory.fingerprint(), encoder.fingerprint());
        let found = vectors(&encoder);
        assert_eq!(vectors(&from_memory), found);
        all.push((found, encoder.fingerprint().space().to_owned()));
    }
    for (found, space) in &all {
        let distance = largest_difference(found, &all[0].0);
        println!("between engines: {distance:e}");
        assert!(distance <= 1e-4, "{distance}");
        assert_eq!(*space, all[0].1);
    }
}

#[test]
fn every_model_is_quantized_alike_on_all_engines() {
    for folder in hub_models() {
        let load = |engine, precision: Option<Precision>| {
            let builder = EncoderBuilder::from_dir(&folder).with_engine(engine);
            build(match precision {
                Some(precision) => builder.with_precision(precision),
                None => builder,
            })
        };
        let place = folder.display();
        let floats = load(Engine::OnnxRuntime, Some(Precision::Fp32));
        let dim = floats.dim();
        let expected = units(&vectors(&floats), dim);
        let mut first = None;
        for &engine in ENGINES {
            let encoder = load(engine, None);
            let info = encoder.info();
            assert_eq!(info.precision, Precision::Int8, "{place}");
            assert_eq!(info.quantization, Quantization::AtLoad, "{place}");
            let found = units(&vectors(&encoder), dim);
            let mean = mean_cosine(&found, &expected, dim);
            let first = first.get_or_insert_with(|| found.clone());
            let distance = largest_difference(&found, first);
            println!("{place} on {}: {mean:.4}, {distance:e}", info.engine);
            assert!(mean > 0.99, "{place}: {mean}");
            // Where engines run products of floats of their own, their order of
            // additions can move values to the next quantization step.
            if folder.ends_with("mv-st-lfm2") {
                let mean = mean_cosine(&found, first, dim);
                assert!(mean > 0.999, "{place}: {mean}");
            } else {
                assert!(distance <= 1e-4, "{place}: {distance}");
            }
        }
    }
}

#[test]
fn a_precision_is_found_or_refused() {
    let load = |name: &str, precision| {
        let builder = EncoderBuilder::from_dir(fixture("hub").join(name));
        builder.with_precision(precision).build()
    };
    let is = |encoder: multivec::Result<Encoder>| encoder.expect("it loads").info().precision;
    let (floats, halves) = ("mv-pylate-modernbert", "mv-pylate-modernbert-f16");
    assert_eq!(is(load(floats, Precision::Fp32)), Precision::Fp32);
    assert_eq!(is(load(floats, Precision::Int8)), Precision::Int8);
    assert_eq!(is(load(halves, Precision::Fp32)), Precision::Fp16);
    assert_eq!(is(load(halves, Precision::Fp16)), Precision::Fp16);
    assert_eq!(is(load(halves, Precision::Int8)), Precision::Int8);
    for (name, wanted, found) in [
        (floats, Precision::Fp16, "fp32"),
        (halves, Precision::Bf16, "fp16"),
    ] {
        let parts = ["`precision`", found, WEIGHTS, &wanted.to_string()];
        models::refused(load(name, wanted), "invalid_option", &parts);
    }
    let parts = ["the 4-bit model", "model_q4.onnx"];
    models::refused(load(floats, Precision::Int4), "missing_file", &parts);

    let by_file = |precision| {
        let builder = EncoderBuilder::from_dir(fixture("hub").join(floats)).with_file(WEIGHTS);
        build(match precision {
            Some(precision) => builder.with_precision(precision),
            None => builder,
        })
    };
    assert_eq!(by_file(None).info().precision, Precision::Int8);
    let floats = by_file(Some(Precision::Fp32));
    assert_eq!(floats.info().precision, Precision::Fp32);
}

/// Files of a fixture, with an infinite weight in the last row of the table,
/// which no text here uses.
fn with_infinity() -> Files {
    let root = fixture("hub/mv-pylate-bert");
    let mut files = Files::new();
    for path in [
        "1_Dense/config.json",
        "1_Dense/model.safetensors",
        "config.json",
        "config_sentence_transformers.json",
        WEIGHTS,
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        let bytes = fs::read(root.join(path)).expect("a file of the fixture");
        files.insert(path.to_owned(), bytes);
    }
    let weights = files.get_mut(WEIGHTS).expect("weights");
    let (length, header) = safetensors::SafeTensors::read_metadata(weights).expect("a header");
    let names = header.tensors();
    let (_, table) = names
        .iter()
        .find(|(name, _)| name.ends_with("word_embeddings.weight"))
        .expect("a table");
    let end = 8 + length + table.data_offsets.1;
    weights[end - 4..end].copy_from_slice(&f32::INFINITY.to_le_bytes());
    files
}

#[test]
fn what_cannot_be_quantized_runs_in_floats_and_says_why() {
    let files = with_infinity();
    for &engine in ENGINES {
        let builder = EncoderBuilder::from_files(files.clone())
            .with_engine(engine)
            .with_optimization(Optimization::Checked);
        let encoder = build(builder.clone());
        assert_eq!(encoder.info().precision, Precision::Fp32);
        let Quantization::Refused { reason } = &encoder.info().quantization else {
            panic!("{:?}", encoder.info());
        };
        for part in [WEIGHTS, "word_embeddings", "inf"] {
            assert!(reason.contains(part), "{reason}");
        }
        let floats = build(builder.clone().with_precision(Precision::Fp32));
        assert_eq!(floats.fingerprint(), encoder.fingerprint());
        assert_eq!(vectors(&floats), vectors(&encoder));
        let wanted = builder.with_precision(Precision::Int8).build();
        models::refused(wanted, "invalid_model", &["word_embeddings", "inf"]);
    }
}

/// Entries of the cache for fused graphs.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.join("graphs")).expect("a cache");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort();
    found
}

#[test]
fn verdicts_and_spaces_are_those_of_the_precision() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let load = |precision: Option<Precision>| {
            let builder = EncoderBuilder::from_dir(fixture("hub/mv-pylate-bert"))
                .with_engine(engine)
                .with_optimization(Optimization::Checked)
                .with_cache_dir(cache.path());
            build(match precision {
                Some(precision) => builder.with_precision(precision),
                None => builder,
            })
        };
        let first = load(None);
        assert!(matches!(first.info().graph, GraphForm::Fused(_)));
        assert_eq!(entries(cache.path()).len(), 1);
        let again = load(None);
        assert_eq!(entries(cache.path()).len(), 1);
        assert_eq!(again.info(), first.info());
        assert_eq!(again.fingerprint(), first.fingerprint());
        assert_eq!(vectors(&again), vectors(&first));
        assert_eq!(
            load(Some(Precision::Int8)).fingerprint(),
            first.fingerprint()
        );

        let floats = load(Some(Precision::Fp32));
        assert_eq!(entries(cache.path()).len(), 2);
        let (one, other) = (first.fingerprint(), floats.fingerprint());
        assert_ne!(one.space(), other.space());
        assert!(one.computed().contains("/int8-at-load/fused"), "{one}");
        assert!(other.computed().contains("/fp32/fused"), "{other}");

        let original = EncoderBuilder::from_dir(fixture("hub/mv-pylate-bert"))
            .with_engine(engine)
            .with_optimization(Optimization::Off);
        let original = build(original);
        assert_eq!(original.info().graph, GraphForm::Original);
        assert_eq!(original.fingerprint().space(), one.space());
        let mean = mean_cosine(&vectors(&original), &vectors(&first), first.dim());
        assert!(mean > 0.95, "{mean}");
    }
}
