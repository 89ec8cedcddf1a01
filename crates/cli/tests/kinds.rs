//! The command line with dense, sparse and reranking models.

#![allow(clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::process::Output;

use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

use command::{last_json, multivec};

const DENSE: &str = "tests/fixtures/hub/dense-bert-cls";
const SPARSE: &str = "tests/fixtures/hub/sparse-bert-splade";
const HYBRID: &str = "tests/fixtures/hub/hybrid-xlmr";
const RERANKER: &str = "tests/fixtures/hub/rerank-bert";

/// A folder with an input of three texts, of which the second has no id.
struct Run(TempDir);

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines = [
            json!({"id": "bees", "text": "Bees make honey."}),
            json!({"text": "The Moon causes the tides."}),
            json!({"id": 7, "text": "Bread rises because of yeast."}),
        ];
        let lines = lines.map(|line| format!("{line}\n")).concat();
        fs::write(folder.path().join("in.jsonl"), lines).expect("it is written");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn encode(&self, model: &str, output: &str) -> Output {
        multivec(&[
            "encode",
            "--json",
            "--precision",
            "fp32",
            "--kind",
            "document",
            "--model",
            model,
            "--input",
            &self.path("in.jsonl"),
            "--output",
            &self.path(output),
        ])
    }
}

/// The error that a failed run prints as JSON.
fn message(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    let found = last_json(output);
    found["error"]["message"]
        .as_str()
        .expect("a message")
        .to_owned()
}

#[test]
fn tensors_are_those_of_the_kind() {
    let run = Run::new();
    for (model, kind, names) in [
        (DENSE, "dense", vec!["1", "7", "bees"]),
        (
            SPARSE,
            "sparse",
            vec![
                "1.indices",
                "1.values",
                "7.indices",
                "7.values",
                "bees.indices",
                "bees.values",
            ],
        ),
        (
            HYBRID,
            "hybrid",
            vec![
                "1.dense",
                "1.indices",
                "1.tokens",
                "1.values",
                "7.dense",
                "7.indices",
                "7.tokens",
                "7.values",
                "bees.dense",
                "bees.indices",
                "bees.tokens",
                "bees.values",
            ],
        ),
    ] {
        let done = run.encode(model, "out.safetensors");
        assert!(done.status.success(), "{done:?}");
        assert_eq!(last_json(&done)["model"], kind);
        let bytes = fs::read(run.path("out.safetensors")).expect("it is there");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut found = tensors.names();
        found.sort_unstable();
        assert_eq!(found, names);
        for name in found {
            let shape = tensors.tensor(name).expect("it is named").shape().to_vec();
            match name.rsplit('.').next() {
                Some("dense") => assert_eq!(shape, [32]),
                Some("tokens") => assert!(shape[0] > 1 && shape[1] == 24, "{shape:?}"),
                _ if kind == "dense" => assert_eq!(shape, [64]),
                _ => assert!(shape.len() == 1 && shape[0] > 0, "{name} {shape:?}"),
            }
        }
    }
}

/// Levels, halves and signs follow from the floats by the definitions of
/// `quantize_embeddings`.
#[test]
fn dense_vectors_are_written_in_fewer_bytes() {
    let run = Run::new();
    let encode = |output: &str, more: &[&str]| {
        let (input, output) = (run.path("in.jsonl"), run.path(output));
        let mut all = vec![
            "encode",
            "--json",
            "--precision",
            "fp32",
            "--kind",
            "document",
            "--model",
            DENSE,
            "--input",
            &input,
            "--output",
            &output,
        ];
        all.extend(more);
        multivec(&all)
    };
    let rows = |output: &str| -> Vec<(Vec<usize>, Vec<u8>)> {
        let bytes = fs::read(run.path(output)).expect("it is there");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let row = |name| {
            let tensor = tensors.tensor(name).expect("it is named");
            (tensor.shape().to_vec(), tensor.data().to_vec())
        };
        ["bees", "1", "7"].map(row).to_vec()
    };
    for (output, store) in [
        ("f32.safetensors", "f32"),
        ("f16.safetensors", "f16"),
        ("int8.safetensors", "int8"),
        ("bits.safetensors", "bits"),
    ] {
        let done = encode(output, &["--store", store]);
        assert!(done.status.success(), "{done:?}");
    }
    let floats: Vec<Vec<f32>> = rows("f32.safetensors")
        .iter()
        .map(|(_, bytes)| {
            let values = bytes.chunks_exact(4);
            values
                .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four")))
                .collect()
        })
        .collect();
    for (row, (shape, bytes)) in floats.iter().zip(rows("f16.safetensors")) {
        assert_eq!(shape, [64]);
        for (value, half) in row.iter().zip(bytes.chunks_exact(2)) {
            let half = half_value(u16::from_le_bytes(half.try_into().expect("two")));
            assert!(
                (value - half).abs() <= value.abs() / 2048. + 1e-7,
                "{value} {half}"
            );
        }
    }
    for (row, (shape, bytes)) in floats.iter().zip(rows("bits.safetensors")) {
        assert_eq!(shape, [8]);
        for (at, value) in row.iter().enumerate() {
            assert_eq!(bytes[at / 8] >> (7 - at % 8) & 1 == 1, *value > 0.);
        }
    }
    let level = |at: usize, value: f32| {
        let column = || floats.iter().map(|row| row[at]);
        let low = column().fold(f32::INFINITY, f32::min);
        let high = column().fold(f32::NEG_INFINITY, f32::max);
        ((value - low) / ((high - low) / 255.)).floor() - 128.
    };
    for (row, (shape, bytes)) in floats.iter().zip(rows("int8.safetensors")) {
        assert_eq!(shape, [64]);
        for (at, (&value, byte)) in row.iter().zip(&bytes).enumerate() {
            assert_eq!(f32::from(byte.cast_signed()), level(at, value));
        }
    }
    // With the ranges of another file, fewer texts have the same levels.
    let all = rows("int8.safetensors");
    fs::write(
        run.path("in.jsonl"),
        "{\"id\": \"bees\", \"text\": \"Bees make honey.\"}\n",
    )
    .expect("it is written");
    let ranges = run.path("int8.safetensors");
    let one = encode("one.safetensors", &["--store", "int8", "--ranges", &ranges]);
    assert!(one.status.success(), "{one:?}");
    let bytes = fs::read(run.path("one.safetensors")).expect("it is there");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    assert_eq!(
        tensors.tensor("bees").expect("it is named").data(),
        all[0].1
    );
    let floats = run.path("f32.safetensors");
    let none = message(&encode(
        "two.safetensors",
        &["--store", "int8", "--ranges", &floats],
    ));
    assert!(none.contains("int8_ranges"), "{none}");
    let lines = message(&encode("two.jsonl", &["--store", "int8"]));
    assert!(lines.contains(".safetensors"), "{lines}");
}

/// The value of a 16-bit float that is no infinity.
fn half_value(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1. } else { 1. };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction / 1024. * 2f32.powi(-14),
        _ => sign * (1. + fraction / 1024.) * 2f32.powi(exponent - 15),
    }
}

#[test]
fn lines_are_those_of_the_kind() {
    let run = Run::new();
    for (model, keys) in [
        (DENSE, &["embedding"][..]),
        (SPARSE, &["indices", "values"]),
        (HYBRID, &["indices", "values", "dense"]),
    ] {
        let done = run.encode(model, "out.jsonl");
        assert!(done.status.success(), "{done:?}");
        let lines = fs::read_to_string(run.path("out.jsonl")).expect("it is there");
        assert_eq!(lines.lines().count(), 3);
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            for key in keys {
                let values = line[key].as_array().expect("a list");
                assert!(values.iter().all(Value::is_number) && !values.is_empty());
            }
        }
    }
}

#[test]
fn texts_with_the_same_id_are_refused() {
    let run = Run::new();
    let twice = "{\"id\": \"a\", \"text\": \"one\"}\n{\"id\": \"a\", \"text\": \"two\"}\n";
    fs::write(run.path("in.jsonl"), twice).expect("it is written");
    let found = message(&run.encode(DENSE, "out.safetensors"));
    assert!(found.contains("\"a\" in line 2"), "{found}");
    assert!(run.encode(DENSE, "out.jsonl").status.success());
}

#[test]
fn documents_are_ranked_by_a_reranker() {
    let run = Run::new();
    let input = run.path("in.jsonl");
    let rerank = |model: &str, more: &[&str]| {
        let mut all = vec![
            "rerank", "--model", model, "--query", "honey", "--input", &input,
        ];
        all.extend(more);
        multivec(&all)
    };
    let done = rerank(RERANKER, &["--json", "--precision", "fp32"]);
    assert!(done.status.success(), "{done:?}");
    let lines = String::from_utf8_lossy(&done.stdout).into_owned();
    let found: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut ids: Vec<&str> = found
        .iter()
        .filter_map(|line| line["id"].as_str())
        .collect();
    let logits: Vec<f64> = found
        .iter()
        .filter_map(|line| line["logits"][0].as_f64())
        .collect();
    assert!(
        logits.len() == 3 && logits.is_sorted_by(|one, other| one >= other),
        "{logits:?}"
    );
    for (line, logit) in found.iter().zip(&logits) {
        let score = line["score"].as_f64().expect("a score");
        assert!((score - 1. / (1. + (-logit).exp())).abs() < 1e-6, "{line}");
    }
    ids.sort_unstable();
    assert_eq!(ids, ["1", "7", "bees"]);
    let first = rerank(RERANKER, &["--top-k", "1"]);
    assert_eq!(String::from_utf8_lossy(&first.stdout).lines().count(), 1);
    let other = message(&rerank(DENSE, &["--json"]));
    assert!(
        other.contains("a cross-encoder model") && other.contains("a dense model"),
        "{other}"
    );
    let encoded = message(&run.encode(RERANKER, "out.jsonl"));
    assert!(encoded.contains("multivec rerank"), "{encoded}");
}

#[test]
fn one_model_or_several_search() {
    let run = Run::new();
    let input = run.path("in.jsonl");
    let search_with = |model: &str, more: &[&str]| {
        let mut all = vec![
            "search",
            "--json",
            "--model",
            model,
            "--documents",
            &input,
            "honey",
        ];
        all.extend(more);
        let done = multivec(&all);
        assert!(done.status.success(), "{done:?}");
        last_json(&done)
    };
    let search = |more: &[&str]| search_with(DENSE, more);
    let alone = search(&[]);
    let hits = |found: &Value| {
        found["results"][0]["documents"]
            .as_array()
            .expect("hits")
            .clone()
    };
    assert_eq!(hits(&alone).len(), 3);
    let joined = search(&["--also", SPARSE, "--also", "tests/fixtures/tiny-bert"]);
    assert_eq!(joined["spaces"].as_array().map(Vec::len), Some(3));
    for found in [joined, search_with(HYBRID, &[])] {
        let scores: Vec<f64> = hits(&found)
            .iter()
            .filter_map(|hit| hit["score"].as_f64())
            .collect();
        // Each of three models, or kinds of embeddings, has ranked each document.
        let sum: f64 = scores.iter().sum();
        let expected = 3. * (1. / 61. + 1. / 62. + 1. / 63.);
        assert!((sum - expected).abs() < 1e-6, "{scores:?}");
        assert!(scores.is_sorted_by(|one, other| one >= other));
    }
}

#[test]
fn info_names_the_kind() {
    for (model, kind) in [
        (DENSE, "dense"),
        (SPARSE, "sparse"),
        (RERANKER, "cross-encoder"),
        (HYBRID, "hybrid"),
    ] {
        let done = multivec(&["info", "--json", "--model", model]);
        assert!(done.status.success(), "{done:?}");
        assert_eq!(last_json(&done)["kind"], kind);
    }
}

#[test]
fn fused_copies_give_the_same_vectors() {
    let run = Run::new();
    for model in [DENSE, SPARSE, "tests/fixtures/hub/mv-st-bert-plain"] {
        let copy = run.path(&format!(
            "copy-of-{}",
            model.rsplit('/').next().unwrap_or("")
        ));
        let done = multivec(&[
            "optimize",
            "--model",
            model,
            "--precision",
            "fp32",
            "--output",
            &copy,
        ]);
        assert!(done.status.success(), "{done:?}");
        let done = multivec(&[
            "verify",
            "--json",
            "--model",
            &copy,
            "--precision",
            "fp32",
            "--against",
            model,
        ]);
        assert!(done.status.success(), "{done:?}");
        let least = last_json(&done)["cosine"]["minimum"].as_f64();
        assert!(
            least.is_some_and(|least| least > 0.999_99),
            "{model}: {least:?}"
        );
    }
}
