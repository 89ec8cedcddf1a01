//! Fused graphs: when they run, and what is cached.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{
    Encoder, EncoderBuilder, Engine, GraphForm, Normalization, Optimization, Precision,
    optimize_graph,
};

use multivec_testing::engines::ENGINES;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/tiny-modernbert"
);
const TEXTS: [&str; 3] = [
    "One text.",
    "Another, rather longer text about nothing.",
    "",
];

fn builder(cache: &Path, engine: Engine) -> EncoderBuilder {
    EncoderBuilder::from_dir(MODEL)
        .with_precision(Precision::Fp32)
        .with_engine(engine)
        .with_optimization(Optimization::Checked)
        .with_cache_dir(cache)
}

fn load(cache: &Path, engine: Engine) -> Encoder {
    let built = builder(cache, engine).build();
    built.unwrap_or_else(|error| panic!("{engine:?}: {error}"))
}

/// The only entry of a cache.
fn entry(cache: &Path) -> PathBuf {
    let mut entries = fs::read_dir(cache.join("graphs")).expect("a folder");
    let entry = entries.next().expect("an entry").expect("it can be read");
    assert!(entries.next().is_none());
    entry.path()
}

fn assert_equal(left: &Encoder, right: &Encoder) {
    let [left, right] =
        [left, right].map(|encoder| encoder.encode_documents(&TEXTS).expect("texts encode"));
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left.tokens(), right.tokens());
        for (left, right) in left.as_slice().iter().zip(right.as_slice()) {
            assert!((left - right).abs() <= 1e-5, "{left} {right}");
        }
    }
}

#[test]
fn a_graph_is_fused_once_and_cached() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let first = load(cache.path(), engine);
        let GraphForm::Fused(fused) = first.info().graph else {
            panic!("{}", first.info().graph);
        };
        assert_eq!(
            (
                fused.attentions,
                fused.rotary,
                fused.windowed,
                fused.layer_normalizations,
                fused.gelus
            ),
            (4, 4, 2, 9, 4)
        );
        assert!(fused.nodes_after * 5 < fused.nodes_before, "{fused}");
        assert!(first.fingerprint().computed().ends_with("/fp32/fused"));

        let graph = entry(cache.path()).join("model.onnx");
        let written = |path: &Path| {
            fs::metadata(path)
                .and_then(|data| data.modified())
                .expect("a time")
        };
        let before = written(&graph);
        let second = load(cache.path(), engine);
        assert_eq!(written(&graph), before);
        assert_eq!(first.info(), second.info());
        assert_equal(&first, &second);

        let original = builder(cache.path(), engine)
            .with_optimization(Optimization::Off)
            .build()
            .expect("the model loads");
        assert_eq!(original.info().graph, GraphForm::Original);
        assert!(original.fingerprint().computed().ends_with("/fp32"));
        assert_equal(&first, &original);
    }
}

#[test]
fn a_damaged_graph_is_made_again() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let first = load(cache.path(), engine);
        let graph = entry(cache.path()).join("model.onnx");
        let complete = fs::read(&graph).expect("the graph is cached");
        for damaged in [complete[..100].to_vec(), vec![0xff; complete.len()]] {
            fs::write(&graph, damaged).expect("it can be written");
            let second = load(cache.path(), engine);
            assert_eq!(first.info(), second.info());
            assert_eq!(fs::read(&graph).expect("the graph is cached"), complete);
        }
    }
}

#[test]
fn the_original_runs_if_the_fused_graph_was_refused() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let fused = load(cache.path(), engine);
        let verdict = entry(cache.path()).join("verdict.txt");
        fs::write(&verdict, "refused 0.5").expect("it can be written");
        let refused = load(cache.path(), engine);
        assert_eq!(refused.info().graph, GraphForm::Refused { distance: 0.5 });
        assert_equal(&fused, &refused);
    }
}

#[test]
fn each_normalization_has_its_own_cache_entry() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let scaled = load(cache.path(), engine);
        let raw = builder(cache.path(), engine)
            .with_normalization(Normalization::Off)
            .build()
            .expect("the model loads");
        let row = |encoder: &Encoder| {
            let found = encoder.encode_document(TEXTS[0]).expect("a text encodes");
            found.row(0).dot(&found.row(0)).sqrt()
        };
        assert!((row(&scaled) - 1.).abs() < 1e-5);
        assert!((row(&raw) - 1.).abs() > 1e-2);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    for &engine in ENGINES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "no folder").expect("it can be written");
        let encoder = load(&file, engine);
        assert!(matches!(encoder.info().graph, GraphForm::Fused(_)));
    }
}

#[test]
fn a_fused_model_loads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("fused");
    fs::create_dir(&model).expect("a folder can be made");
    for name in ["onnx_config.json", "tokenizer.json"] {
        fs::copy(format!("{MODEL}/{name}"), model.join(name)).expect("it can be copied");
    }
    let (graph, fused) = optimize_graph(&Path::new(MODEL).join("model.onnx")).expect("a graph");
    assert_eq!(fused.attentions, 4);
    fs::write(model.join("model.onnx"), graph).expect("it can be written");

    let cache = folder.path().join("cache");
    let written = EncoderBuilder::from_dir(&model)
        .with_cache_dir(&cache)
        .build()
        .expect("the model loads");
    // Nothing is left to fuse.
    assert_eq!(written.info().graph, GraphForm::Original);
    assert_equal(&written, &load(&cache, Engine::OnnxRuntime));
}

/// Smoothing of columns before they are quantized is kept as a standard
/// operator.
#[test]
fn a_fused_int8_model_loads() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/minilm-colbert");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["onnx_config.json", "tokenizer.json"] {
        let copy = folder.path().join(name);
        fs::copy(Path::new(demo).join(name), copy).expect("it can be copied");
    }
    let (graph, fused) = optimize_graph(&Path::new(demo).join("model_int8.onnx")).expect("a graph");
    assert_eq!(fused.quantized, fused.linears);
    fs::write(folder.path().join("model_int8.onnx"), graph).expect("it can be written");
    let [original, written] = [Path::new(demo), folder.path()].map(|model| {
        let builder = EncoderBuilder::from_dir(model).with_precision(Precision::Int8);
        let built = builder.with_optimization(Optimization::Off).build();
        let encoder = built.expect("the model loads");
        encoder.encode_document(TEXTS[1]).expect("it encodes")
    });
    let dim = original.dim();
    let rows = original.as_slice().chunks_exact(dim);
    for (one, other) in rows.zip(written.as_slice().chunks_exact(dim)) {
        let cosine: f32 = one.iter().zip(other).map(|(one, other)| one * other).sum();
        assert!(cosine > 0.999, "{cosine}");
    }
}

#[cfg(feature = "tract")]
#[test]
fn each_engine_has_its_own_verdict() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let ort = load(cache.path(), Engine::OnnxRuntime);
    fs::write(entry(cache.path()).join("verdict.txt"), "refused 0.5").expect("written");
    let tract = load(cache.path(), Engine::Tract);
    assert!(matches!(tract.info().graph, GraphForm::Fused(_)));
    assert_equal(&ort, &tract);
    let entries = fs::read_dir(cache.path().join("graphs")).expect("a folder");
    assert_eq!(entries.count(), 2);
    let again = load(cache.path(), Engine::OnnxRuntime);
    assert_eq!(again.info().graph, GraphForm::Refused { distance: 0.5 });
}

/// While graphs are compared, INT8 layers quantize all rows with one scale, as
/// the original does. Afterwards each row has its own scale.
#[test]
fn each_row_is_quantized_with_its_own_scale() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let load = || {
            EncoderBuilder::from_dir(MODEL)
                .with_precision(Precision::Int8)
                .with_engine(engine)
                .with_cache_dir(cache.path())
                .build()
                .unwrap_or_else(|error| panic!("{engine:?}: {error}"))
        };
        for encoder in [load(), load()] {
            let GraphForm::Fused(fused) = encoder.info().graph else {
                panic!("{engine:?}: {}", encoder.info().graph);
            };
            assert_eq!(fused.quantized, 17);
            let alone = encoder.encode_document(TEXTS[1]).expect("a text encodes");
            let all = encoder.encode_documents(&TEXTS).expect("texts encode");
            for (left, right) in alone.as_slice().iter().zip(all[1].as_slice()) {
                assert!((left - right).abs() <= 1e-5, "{left} {right}");
            }
        }
    }
}
