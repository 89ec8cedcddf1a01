//! Encoders as several exporters write them: all are fused, and give the same
//! vectors as before.

#![allow(clippy::expect_used, clippy::panic)]

use multivec::{Encoder, EncoderBuilder, Engine, GraphForm, ModelBytes, Optimization, Precision};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
const EXPORTERS: [&str; 2] = ["torch-2.5", "torch-2.10-dynamo"];
/// Layers, and how many of them have rotary embedding and a sliding window.
const MODELS: [(&str, [usize; 3]); 6] = [
    ("bert-eager", [2, 0, 0]),
    ("bert-sdpa", [2, 0, 0]),
    ("distilbert", [2, 0, 0]),
    ("modernbert-eager", [4, 4, 2]),
    ("modernbert-sdpa", [4, 4, 2]),
    ("roberta-tanh", [2, 0, 0]),
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

fn load(model: &str, engine: Engine, optimization: Optimization) -> Encoder {
    let cache = tempfile::tempdir().expect("a temporary folder");
    EncoderBuilder::from_bytes(ModelBytes {
        config: read("tiny-modernbert/onnx_config.json"),
        tokenizer: read("tiny-modernbert/tokenizer.json"),
        model: read(model),
        precision: Precision::Fp32,
    })
    .with_engine(engine)
    .with_optimization(optimization)
    .with_cache_dir(cache.path())
    .build()
    .unwrap_or_else(|error| panic!("{model}: {error}"))
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
    for exporter in EXPORTERS {
        for (name, expected) in MODELS {
            let model = format!("exports/{exporter}/{name}.onnx");
            let fused = load(&model, engine, Optimization::Checked);
            let GraphForm::Fused(found) = fused.info().graph else {
                panic!("{model}: {}", fused.info().graph);
            };
            let attentions = [found.attentions, found.rotary, found.windowed];
            assert_eq!(attentions, expected, "{model}");
            assert_eq!(found.gelus, expected[0], "{model}");
            let published = load(&model, Engine::OnnxRuntime, Optimization::Off);
            let distance = distance(&fused, &published);
            assert!(distance <= 1e-5, "{model}: {distance}");
        }
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
