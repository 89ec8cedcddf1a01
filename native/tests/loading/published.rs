//! Models as hubs publish them, against the outputs of the libraries that made
//! them.

use std::fs;
use std::path::Path;

use multivec::{
    Embedding, Encoder, EncoderBuilder, Engine, GraphForm, ModelDirectory, Optimization, Precision,
    Quantization, export_model,
};
use multivec_testing::engines::forms;
use multivec_testing::folders::{fixture, hub_models};
use safetensors::SafeTensors;
use serde_json::Value;

/// In floats, as the references are.
fn load(folder: &Path, engine: Engine, optimization: Optimization) -> Encoder {
    open(folder, engine, optimization, Precision::Fp32)
}

fn open(
    folder: &Path,
    engine: Engine,
    optimization: Optimization,
    precision: Precision,
) -> Encoder {
    EncoderBuilder::from_dir(folder)
        .with_precision(precision)
        .with_engine(engine)
        .with_optimization(optimization)
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The reference of weights of 16 bits was computed in 16 bits, whose rounding
/// moves components by up to 4.2e-3; weights are widened here, and computed
/// with in 32 bits.
fn bound(folder: &Path) -> f32 {
    let name = folder.to_string_lossy();
    if name.ends_with("f16") { 5e-3 } else { 1e-4 }
}

/// The files of a folder and the folders in it, by their paths.
fn files(folder: &Path, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let found = entries.flat_map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            files(&path, &format!("{name}/"))
        } else {
            vec![(name, fs::read(&path).expect("a file"))]
        }
    });
    found.collect()
}

#[test]
fn models_load_from_memory() {
    for folder in hub_models() {
        let encoder = EncoderBuilder::from_files(files(&folder, ""))
            .with_precision(Precision::Fp32)
            .with_optimization(Optimization::Checked)
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let from_folder = load(&folder, Engine::OnnxRuntime, Optimization::Checked);
        assert_eq!(encoder.fingerprint(), from_folder.fingerprint());
        let [one, other] = [&encoder, &from_folder].map(|encoder| {
            encoder
                .encode_document("A text of two sentences. Here is the other.")
                .expect("it encodes")
        });
        assert_eq!(one, other);
    }
}

fn is_equal(folder: &Path, encoder: &Encoder, bound: f32) {
    let text = fs::read_to_string(folder.join("reference.json")).expect("a reference");
    let reference: Value = serde_json::from_str(&text).expect("valid JSON");
    let bytes = fs::read(folder.join("reference.safetensors")).expect("reference tensors");
    let tensors = SafeTensors::deserialize(&bytes).expect("valid tensors");
    for side in ["queries", "documents"] {
        let texts: Vec<&str> = reference[side]
            .as_array()
            .expect("texts")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let found = if side == "queries" {
            encoder.encode_queries(&texts)
        } else {
            encoder.encode_documents(&texts)
        };
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert!(texts.len() > 5 && found.len() == texts.len());
        for (at, embedding) in found.iter().enumerate() {
            let place = format!("{} {side}.{at}", folder.display());
            let tensor = tensors.tensor(&format!("{side}.{at}")).expect("a tensor");
            let values = tensor.data().as_chunks().0.iter();
            let expected: Vec<f32> = values.map(|&bytes| f32::from_le_bytes(bytes)).collect();
            assert_eq!(
                [embedding.tokens(), embedding.dim()],
                tensor.shape(),
                "{place}"
            );
            is_close(embedding, &expected, bound, &place);
        }
    }
}

fn is_close(found: &Embedding, expected: &[f32], bound: f32, place: &str) {
    let pairs = found.as_slice().iter().zip(expected);
    let distance = pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0., f32::max);
    assert!(distance <= bound, "{place}: {distance}");
}

#[test]
fn models_give_the_vectors_of_their_libraries() {
    for folder in hub_models() {
        for engine in [Engine::OnnxRuntime, Engine::Tract] {
            if engine == Engine::Tract && !cfg!(feature = "tract") {
                continue;
            }
            for &optimization in forms(engine) {
                let encoder = load(&folder, engine, optimization);
                let info = encoder.info();
                let place = format!("{} on {}", folder.display(), info.engine);
                let is_fused = matches!(info.graph, GraphForm::Fused(_));
                assert_eq!(is_fused, optimization == Optimization::Checked, "{place}");
                is_equal(&folder, &encoder, bound(&folder));
            }
        }
    }
}

#[test]
fn the_precision_of_weights_is_told() {
    for (name, expected) in [
        ("mv-pylate-modernbert-f16", Precision::Fp16),
        ("mv-pylate-modernbert", Precision::Fp32),
    ] {
        let folder = fixture("hub").join(name);
        let encoder = load(&folder, Engine::OnnxRuntime, Optimization::Checked);
        assert_eq!(encoder.info().precision, expected);
        assert!(
            encoder
                .fingerprint()
                .computed()
                .contains(&expected.to_string())
        );
    }
}

#[test]
fn exported_models_give_the_same_vectors() {
    for name in [
        "mv-pylate-bert",
        "mv-pylate-modernbert-f16",
        "mv-stanford-bert",
    ] {
        let folder = fixture("hub").join(name);
        let directory = ModelDirectory::open(&folder).expect("a model directory");
        let chosen = directory.choose(None).expect("it has weights");
        let output = tempfile::tempdir().expect("a temporary folder");
        let exported = export_model(&directory, chosen, output.path()).expect("it is written");
        assert_eq!(exported.data, None);
        let encoder = load(output.path(), Engine::OnnxRuntime, Optimization::Checked);
        for (name, expected) in [
            ("reference.json", folder.join("reference.json")),
            (
                "reference.safetensors",
                folder.join("reference.safetensors"),
            ),
        ] {
            fs::copy(expected, output.path().join(name)).expect("it can be copied");
        }
        is_equal(output.path(), &encoder, bound(&folder));
    }
}

#[cfg(feature = "quantize")]
#[test]
fn quantized_models_load_from_their_own_directory() {
    let folder = fixture("hub").join("mv-pylate-bert");
    let directory = ModelDirectory::open(&folder).expect("a model directory");
    let output = tempfile::tempdir().expect("a temporary folder");
    let options = multivec::QuantizeOptions::default();
    let report = multivec::quantize_model(&directory, Some(output.path()), &options, &mut |_| {});
    let report = report.expect("it is quantized");
    assert!(report.file.is_file());
    let at_load = report.at_load.expect("its weights are quantized at load");
    assert!(at_load.mean > 0.99, "{at_load:?}");
    let encoder = open(
        output.path(),
        Engine::OnnxRuntime,
        Optimization::Checked,
        Precision::Int8,
    );
    assert_eq!(encoder.info().quantization, Quantization::Stored);
    assert_eq!(encoder.dim(), 32);
    let found = encoder
        .encode_document("Bees make honey.")
        .expect("it encodes");
    let original = load(&folder, Engine::OnnxRuntime, Optimization::Checked);
    let expected = original
        .encode_document("Bees make honey.")
        .expect("it encodes");
    assert_eq!(found.tokens(), expected.tokens());
    let rows = found
        .as_slice()
        .chunks(32)
        .zip(expected.as_slice().chunks(32));
    for (one, other) in rows {
        let cosine: f32 = one.iter().zip(other).map(|(one, other)| one * other).sum();
        assert!(cosine > 0.8, "{cosine}");
    }
}

#[test]
fn positions_of_the_model_bound_lengths() {
    let folder = fixture("hub").join("mv-pylate-bert");
    let load = |tokens| {
        let builder = EncoderBuilder::from_dir(&folder).with_document_length(tokens);
        builder.build()
    };
    let text = "honey ".repeat(300);
    let encoder = load(208).expect("it has 208 positions");
    let found = encoder.encode_document(&text).expect("it encodes");
    assert_eq!(found.tokens(), 208);
    let error = load(209).expect_err("it has no more").to_string();
    for part in ["model.safetensors", "at most 208 tokens", "found 209"] {
        assert!(error.contains(part), "{error}");
    }
}
