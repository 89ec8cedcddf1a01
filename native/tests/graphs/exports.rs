//! Encoders from several exporters: all are fused, and give the vectors of the
//! original graph.

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
/// The number of attentions, of those with rotary embedding, of those with a
/// sliding window, of layer normalizations, GELUs, and linear layers without the
/// final projection.
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

/// The path and the expected counts of each model.
fn models() -> impl Iterator<Item = (String, [usize; 6])> {
    let all = EXPORTERS.into_iter().flat_map(|exporter| {
        let models = MODELS.into_iter();
        models.map(move |(name, expected)| (format!("exports/{exporter}/{name}.onnx"), expected))
    });
    // Not every exporter can write each model.
    all.filter(|(model, _)| Path::new(FIXTURES).join(model).exists())
}

fn load(model: Vec<u8>, engine: Engine, optimization: Optimization) -> Result<Encoder> {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut config: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&read("tiny-modernbert/onnx_config.json")).expect("JSON");
    // They differ from those of the models here.
    config.remove("embedding_dim");
    config.remove("uses_token_type_ids");
    EncoderBuilder::from_bytes(ModelBytes::new(
        serde_json::to_vec(&config).expect("JSON"),
        read("tiny-modernbert/tokenizer.json"),
        model,
        Precision::Fp32,
    ))
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
        // NaN counts as the largest difference.
        .fold(0., |worst, one| if one <= worst { worst } else { one })
}

fn check(engine: Engine) {
    let mut failures = Vec::new();
    for (model, mut expected) in models() {
        // In newer operator sets, layer normalization is an operator.
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
        // In small models, lookups by position are constants.
        if found != expected || tables == 0 {
            failures.push(format!(
                "{model}: expected {expected:?}, found {found:?}, {tables} tables"
            ));
        }
        let original = load(Engine::OnnxRuntime, Optimization::Off);
        let distance = distance(&fused, &original);
        if distance.is_nan() || distance > 1e-5 {
            failures.push(format!("{model}: {distance}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Optimum exports the transformer alone, except for the model with a
/// projection.
fn is_projected(model: &str) -> bool {
    !model.contains("optimum") || model.contains("projected")
}

#[test]
fn most_models_of_each_exporter_are_there() {
    let count = |exporter: &str| {
        let all = models().filter(|(model, _)| model.contains(exporter));
        all.count()
    };
    assert_eq!(EXPORTERS.map(count), [6, 7, 6, 8, 7]);
}

/// Inputs are passed by name, whatever their order in the graph.
#[test]
fn the_order_of_inputs_does_not_matter() {
    let (model, _) = models()
        .find(|(model, _)| model.contains("optimum/bert-sdpa"))
        .expect("the fixture is there");
    let mut graph = Graph::parse(&model, read(&model).into()).expect("a valid graph");
    graph.proto_mut().input.reverse();
    let reversed = graph.into_bytes();
    for &engine in Engine::COMPILED {
        let load = |model| load(model, engine, Optimization::Checked).expect("the model loads");
        let (original, reversed) = (load(read(&model)), load(reversed.clone()));
        assert!(original.info().uses_token_type_ids);
        assert_eq!(distance(&original, &reversed), 0.);
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
