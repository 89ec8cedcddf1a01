//! Models that were once refused, or taken wrongly.

use std::path::PathBuf;

use multivec::{
    Embedding, Encoder, EncoderBuilder, Engine, Error, Fused, GraphForm, Optimization, Result,
};

const TEXT: &str = "Bees make honey, and plants turn light into food.";

fn folder(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "../tests/fixtures/failing",
        name,
    ]
    .iter()
    .collect()
}

fn load(name: &str, engine: Engine) -> Result<Encoder> {
    EncoderBuilder::from_dir(folder(name))
        .with_engine(engine)
        .with_optimization(Optimization::Checked)
        .build()
}

fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::OnnxRuntime];
    engines.extend(cfg!(feature = "tract").then_some(Engine::Tract));
    engines
}

/// The vectors of a text alone, which have to be those in a padded batch.
fn encode(name: &str, engine: Engine) -> Embedding {
    let encoder = load(name, engine).unwrap_or_else(|error| panic!("{name}: {error}"));
    let alone = encoder.encode_document(TEXT).expect("it encodes");
    let batch = encoder
        .encode_documents(&["Short.", TEXT])
        .expect("they encode");
    is_close(&alone, &batch[1], name);
    alone
}

fn is_close(one: &Embedding, other: &Embedding, name: &str) {
    assert_eq!(
        [one.tokens(), one.dim()],
        [other.tokens(), other.dim()],
        "{name}"
    );
    let pairs = one.as_slice().iter().zip(other.as_slice());
    let distance = pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0., f32::max);
    assert!(distance < 1e-4, "{name}: {distance}");
}

#[test]
fn they_load_with_the_promised_columns_on_every_engine() {
    for (name, dim) in [
        // A bare transformer beside a Dense module, which is applied.
        ("01-bare-onnx-beside-dense", 32),
        ("02-mve-6.2-config", 32),
        ("04-tract-extra-outputs", 32),
        ("06-opset23-attention", 32),
        ("09-fp16-output", 32),
        ("10-int32-inputs", 32),
        ("11-position-ids", 32),
        ("15-tract-com-microsoft", 32),
    ] {
        let found = engines().into_iter().map(|engine| encode(name, engine));
        let found: Vec<Embedding> = found.collect();
        assert_eq!(found[0].dim(), dim, "{name}");
        for other in &found[1..] {
            is_close(&found[0], other, name);
        }
    }
}

#[test]
fn outputs_that_leave_a_choice_are_listed() {
    for engine in engines() {
        let error = load("03-first-of-two-outputs", engine).expect_err("it is ambiguous");
        assert!(matches!(error, Error::ModelMismatch { .. }), "{error}");
        let message = error.to_string();
        for output in [
            "`last_hidden_state` [batch, length, 64]",
            "`colbert_vecs` [batch, length, 32]",
        ] {
            assert!(message.contains(output), "{message}");
        }
    }
}

#[test]
fn weights_in_memory_are_part_of_the_fingerprint() {
    let name = "10-int32-inputs";
    let files = ["model.onnx", "onnx_config.json", "tokenizer.json"];
    let read = |file| std::fs::read(folder(name).join(file)).expect("a file");
    let load_from = |files: Vec<(&str, Vec<u8>)>| {
        let builder = EncoderBuilder::from_files(files);
        let built = builder.with_optimization(Optimization::Checked).build();
        built.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let whole: Vec<_> = files.map(|file| (file, read(file))).to_vec();
    let from_memory = load_from(whole.clone());
    let from_folder = load(name, Engine::Auto).expect("it loads");
    assert_eq!(from_memory.fingerprint(), from_folder.fingerprint());
    let mut other = whole;
    other[0].1 = std::fs::read(folder("11-position-ids").join("model.onnx")).expect("a file");
    assert_ne!(
        load_from(other).fingerprint().space(),
        from_folder.fingerprint().space()
    );
}

/// The form of an encoder's graph.
fn fused(encoder: &Encoder) -> Fused {
    match encoder.info().graph {
        GraphForm::Fused(fused) => fused,
        other => panic!("expected a fused graph, found {other}"),
    }
}

#[test]
fn attentions_are_fused() {
    let published = |name| {
        let builder = EncoderBuilder::from_dir(folder(name)).with_optimization(Optimization::Off);
        let encoder = builder.build().expect("it loads");
        encoder
            .encode_documents(&["Short.", TEXT])
            .expect("they encode")
    };
    // All, rotary, grouped, with a bias.
    for (name, expected) in [
        ("05-gqa-not-fused", [2, 2, 2, 0]),
        ("06-opset23-attention", [2, 0, 0, 0]),
        ("15-tract-com-microsoft", [2, 0, 0, 0]),
        ("19-bias-attention-not-fused", [2, 0, 0, 2]),
    ] {
        let published = published(name);
        for engine in engines() {
            let encoder = load(name, engine).unwrap_or_else(|error| panic!("{name}: {error}"));
            let fused = fused(&encoder);
            let found = [fused.attentions, fused.rotary, fused.grouped, fused.biased];
            assert_eq!(found, expected, "{name}, {engine:?}");
            let found = encoder.encode_documents(&["Short.", TEXT]);
            for (one, other) in found.expect("they encode").iter().zip(&published) {
                let pairs = one.as_slice().iter().zip(other.as_slice());
                let distance = pairs.map(|(one, other)| (one - other).abs());
                let distance = distance.fold(0., f32::max);
                assert!(distance < 1e-5, "{name}, {engine:?}: {distance}");
            }
        }
    }
}

/// The vectors of a text, alone and in a padded batch, on each engine and in
/// each form of the graph, which have to be those of the published graph on
/// ONNX Runtime.
fn is_as_published(name: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>) {
    let read = |file: &str| std::fs::read(folder(name).join(file)).expect("a file");
    let files = [
        ("model.onnx", edit(read("model.onnx"))),
        ("onnx_config.json", read("onnx_config.json")),
        ("tokenizer.json", read("tokenizer.json")),
    ];
    let encode = |engine, form| {
        let builder = EncoderBuilder::from_files(files.to_vec()).with_engine(engine);
        let encoder = builder.with_optimization(form).build();
        let encoder = encoder.unwrap_or_else(|error| panic!("{name}: {error}"));
        let alone = encoder.encode_document(TEXT).expect("it encodes");
        let batch = encoder.encode_documents(&["Short.", TEXT]);
        let batch = batch.expect("they encode").swap_remove(1);
        [alone, batch]
    };
    let [published, _] = encode(Engine::OnnxRuntime, Optimization::Off);
    for engine in engines() {
        for form in [Optimization::Off, Optimization::Checked] {
            for found in encode(engine, form) {
                assert_eq!(found.tokens(), published.tokens(), "{name}");
                let pairs = found.as_slice().iter().zip(published.as_slice());
                let distances = pairs.map(|(one, other)| (one - other).abs());
                let largest = distances.fold(0., f32::max);
                assert!(largest <= 1e-5, "{name}, {engine:?}, {form:?}: {largest}");
            }
        }
    }
}

#[test]
fn graphs_that_tract_refused_have_the_published_vectors() {
    for name in ["12-tract-conv", "13-tract-slice-symbolic", "14-tract-xmod"] {
        is_as_published(name, |model| model);
    }
}

/// The exporter allows ONNX Runtime to quantize activations; here it may not.
#[test]
fn products_with_8_bit_blocks_are_exact() {
    let exact = |mut model: Vec<u8>| {
        let key = b"accuracy_level\x18\x04";
        let mut places = Vec::new();
        for (at, window) in model.windows(key.len()).enumerate() {
            if window == key {
                places.push(at + key.len() - 1);
            }
        }
        assert_eq!(places.len(), 13);
        for at in places {
            model[at] = 1;
        }
        model
    };
    is_as_published("16-tract-nbits8", exact);
}
