//! Encoders as several exporters write them: all are fused, and give the same
//! vectors as before.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;

use multivec::{
    Encoder, EncoderBuilder, Engine, GraphForm, ModelBytes, Optimization, Precision, Result,
};
use multivec_graph::Graph;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
const EXPORTERS: [&str; 5] = [
    "torch-2.5",
    "torch-2.8",
    "torch-2.10-dynamo",
    "torch-2.13-dynamo",
    "optimum",
];
/// Attentions, and how many of them have rotary embedding and a sliding
/// window; layer normalizations; GELUs; linear layers without a final
/// projection.
const MODELS: [(&str, [usize; 6]); 9] = [
    ("bert-eager", [2, 0, 0, 5, 2, 12]),
    ("bert-projected", [2, 0, 0, 5, 2, 12]),
    ("bert-sdpa", [2, 0, 0, 5, 2, 12]),
    ("distilbert", [2, 0, 0, 5, 2, 12]),
    ("flat", [2, 0, 0, 4, 2, 8]),
    ("modernbert-eager", [4, 4, 2, 9, 4, 16]),
    ("modernbert-sdpa", [4, 4, 2, 9, 4, 16]),
    ("roberta-tanh", [2, 0, 0, 5, 2, 12]),
    ("torch-encoder", [2, 0, 0, 4, 2, 8]),
];
const TEXTS: [&str; 4] = [
    "One text.",
    "",
    "Another, rather longer text about nothing, which goes on for longer than any window that \
     a layer has, and is padded by none of the others.",
    "A third one.",
];

fn read(path: &str) -> Vec<u8> {
    std::fs::read(format!("{FIXTURES}/{path}")).expect("the fixture can be read")
}

/// Models of each exporter: paths, and what is in them.
fn models() -> impl Iterator<Item = (String, [usize; 6])> {
    let all = EXPORTERS.into_iter().flat_map(|exporter| {
        let models = MODELS.into_iter();
        models.map(move |(name, expected)| (format!("exports/{exporter}/{name}.onnx"), expected))
    });
    // Not every exporter has written each of them.
    all.filter(|(model, _)| Path::new(FIXTURES).join(model).exists())
}

fn load(model: Vec<u8>, engine: Engine, optimization: Optimization) -> Result<Encoder> {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut config: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&read("tiny-modernbert/onnx_config.json")).expect("JSON");
    // Others than those of each model here.
    config.remove("embedding_dim");
    config.remove("uses_token_type_ids");
    EncoderBuilder::from_bytes(ModelBytes {
        config: serde_json::to_vec(&config).expect("JSON"),
        tokenizer: read("tiny-modernbert/tokenizer.json"),
        model,
        precision: Precision::Fp32,
    })
    .with_engine(engine)
    .with_optimization(optimization)
    .with_cache_dir(cache.path())
    .build()
}

/// The largest difference of any two components.
fn distance(left: &Encoder, right: &Encoder) -> f32 {
    let encode = |encoder: &Encoder| {
        // Queries are expanded by tokens that are not attended to.
        let mut found = encoder.encode_documents(&TEXTS).expect("documents encode");
        found.extend(encoder.encode_queries(&TEXTS).expect("queries encode"));
        found
    };
    let (left, right) = (encode(left), encode(right));
    let pairs = left.iter().zip(&right).flat_map(|(left, right)| {
        assert_eq!((left.tokens(), left.dim()), (right.tokens(), right.dim()));
        left.as_slice().iter().zip(right.as_slice())
    });
    pairs
        .map(|(left, right)| (left - right).abs())
        // Not a number is as far away as can be.
        .fold(0., |worst, one| if one <= worst { worst } else { one })
}

fn check(engine: Engine) {
    let mut failures = Vec::new();
    for (model, mut expected) in models() {
        // Newer sets of operators have layer normalization from the start.
        if model.contains("dynamo") || model.contains("optimum") {
            expected[3] = 0;
        }
        let load = |engine, form| {
            load(read(&model), engine, form).unwrap_or_else(|error| panic!("{model}: {error}"))
        };
        let fused = load(engine, Optimization::Checked);
        let GraphForm::Fused(found) = fused.info().graph else {
            failures.push(format!("{model}: {}", fused.info().graph));
            continue;
        };
        let tables = found.embeddings;
        let found = [
            found.attentions,
            found.rotary,
            found.windowed,
            found.layer_normalizations,
            found.gelus,
            found.linears - usize::from(is_projected(&model)),
        ];
        // What small models look up by position is known without the texts.
        if found != expected || tables == 0 {
            failures.push(format!(
                "{model}: expected {expected:?}, found {found:?}, {tables} tables"
            ));
        }
        let published = load(Engine::OnnxRuntime, Optimization::Off);
        let distance = distance(&fused, &published);
        if distance.is_nan() || distance > 1e-5 {
            failures.push(format!("{model}: {distance}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Optimum exports a transformer alone, but for the one that has a projection.
fn is_projected(model: &str) -> bool {
    !model.contains("optimum") || model.contains("projected")
}

#[test]
fn each_exporter_has_written_most_models() {
    let count = |exporter: &str| {
        let all = models().filter(|(model, _)| model.contains(exporter));
        all.count()
    };
    assert_eq!(EXPORTERS.map(count), [6, 7, 6, 8, 7]);
}

/// Callers give inputs by name, in whatever order a graph has them.
#[test]
fn inputs_come_in_any_order() {
    let (model, _) = models()
        .find(|(model, _)| model.contains("optimum/bert-sdpa"))
        .expect("it is among them");
    let mut graph = Graph::parse(&model, read(&model).into()).expect("it is a graph");
    graph.proto_mut().input.reverse();
    let turned = graph.into_bytes();
    let mut engines = vec![Engine::OnnxRuntime];
    engines.extend(cfg!(feature = "tract").then_some(Engine::Tract));
    for engine in engines {
        let load = |model| load(model, engine, Optimization::Checked).expect("it loads");
        let (as_is, turned) = (load(read(&model)), load(turned.clone()));
        assert!(as_is.info().uses_token_type_ids);
        assert_eq!(distance(&as_is, &turned), 0.);
    }
}

#[test]
fn onnxruntime_gives_the_same_vectors() {
    check(Engine::OnnxRuntime);
}

#[cfg(feature = "tract")]
#[test]
fn tract_gives_the_same_vectors() {
    check(Engine::Tract);
}
