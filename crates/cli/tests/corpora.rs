//! `multivec encode --store` and `multivec search --vectors`.

#![allow(clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::process::Output;

use serde_json::Value;

use command::{last_json, multivec};

const DOCUMENTS: &str = "models/demo-corpus.txt";
const QUERIES: [&str; 2] = ["Which animal makes honey?", "What causes tides?"];

/// Runs a command with a small model.
fn with_model(model: &str, arguments: &[&str]) -> Output {
    let model = format!("tests/fixtures/{model}");
    let common = ["--json", "--model", &model, "--precision", "fp32"];
    let (command, rest) = arguments.split_first().expect("a command");
    multivec(&[&[*command], &common[..], rest].concat())
}

fn encode(store: &str, input: &str, output: &str) -> Output {
    let texts = ["--kind", "document", "--input", input];
    let stored = ["--store", store, "--output", output];
    with_model(
        "tiny-bert",
        &[&["encode"], &texts[..], &stored[..]].concat(),
    )
}

fn search(model: &str, source: &[&str]) -> Output {
    let most = ["--top-k", "5"];
    with_model(
        model,
        &[&["search"], &most[..], source, &QUERIES[..]].concat(),
    )
}

/// Positions and scores of what a query found.
fn hits(found: &Value, query: usize) -> Vec<(u64, f64)> {
    let documents = found["results"][query]["documents"].as_array();
    let hit = |one: &Value| {
        let index = one["index"].as_u64().expect("a position");
        (index, one["score"].as_f64().expect("a score"))
    };
    documents.expect("documents").iter().map(hit).collect()
}

fn message(done: &Output) -> String {
    assert!(!done.status.success(), "{done:?}");
    let error = &last_json(done)["error"];
    error["message"].as_str().expect("a message").to_owned()
}

#[test]
fn stored_vectors_are_searched_as_encoded_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let expected = last_json(&search("tiny-bert", &["--documents", DOCUMENTS]));
    let mut sizes = Vec::new();
    for store in ["f32", "f16", "int8", "bits"] {
        let path = folder.path().join(store).display().to_string();
        let done = encode(store, DOCUMENTS, &path);
        assert!(done.status.success(), "{done:?}");
        sizes.push(fs::metadata(&path).expect("the corpus is there").len());
        let found = last_json(&search("tiny-bert", &["--vectors", &path]));
        assert_eq!(found["space"], expected["space"]);
        for query in 0..QUERIES.len() {
            let (found, expected) = (hits(&found, query), hits(&expected, query));
            assert_eq!(found.len(), 5);
            if store == "bits" {
                continue;
            }
            let tolerance = if store == "int8" { 2e-2 } else { 1e-3 };
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found.1 - expected.1).abs() < tolerance * expected.1.abs(),
                    "{found:?} {expected:?}"
                );
            }
            if store == "f32" {
                let order = |hits: &[(u64, f64)]| hits.iter().map(|one| one.0).collect::<Vec<_>>();
                assert_eq!(order(&found), order(&expected));
            }
        }
    }
    assert!(sizes.is_sorted_by(|one, next| one > next), "{sizes:?}");

    let path = folder.path().join("f32").display().to_string();
    let other = message(&search("tiny-modernbert", &["--vectors", &path]));
    assert!(
        other.starts_with(&format!("{path}: expected vectors of the model's space")),
        "{other}"
    );
    let bytes = fs::read(&path).expect("it can be read");
    fs::write(&path, &bytes[..bytes.len() - 64]).expect("it can be written");
    let cut = message(&search("tiny-bert", &["--vectors", &path]));
    assert!(cut.starts_with(&format!("{path}: expected ")), "{cut}");
}

#[test]
fn ids_are_stored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let lines = [
        r#"{"text": "Bees make honey.", "id": "bees"}"#,
        r#"{"text": "The moon causes tides.", "id": 7}"#,
        r#"{"text": "Nothing about either."}"#,
    ];
    fs::write(path("in.jsonl"), lines.join("\n")).expect("the input is written");
    let done = encode("int8", &path("in.jsonl"), &path("out"));
    assert!(done.status.success(), "{done:?}");
    let found = last_json(&search("tiny-bert", &["--vectors", &path("out")]));
    let documents = found["results"][0]["documents"]
        .as_array()
        .expect("documents");
    let mut ids: Vec<(u64, &str)> = documents
        .iter()
        .map(|one| {
            (
                one["index"].as_u64().expect("a position"),
                one["id"].as_str().expect("an id"),
            )
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [(0, "bees"), (1, "7"), (2, "2")]);
    let refused = message(&encode("int8", &path("in.jsonl"), &path("out.jsonl")));
    assert!(
        refused.starts_with("--output: expected a name that does not end in .jsonl"),
        "{refused}"
    );
}

#[test]
fn verify_says_what_less_precision_costs() {
    let model = [
        "--against",
        "tests/fixtures/tiny-bert",
        "--against-precision",
        "fp32",
    ];
    let done = with_model("tiny-bert", &[&["verify"], &model[..]].concat());
    assert!(done.status.success(), "{done:?}");
    let found = last_json(&done);
    let stored = found["storage"].as_array().expect("precisions");
    let names: Vec<&Value> = stored.iter().map(|one| &one["store"]).collect();
    assert_eq!(names, ["f16", "int8", "bits"]);
    let overlaps = stored
        .iter()
        .map(|one| one["overlap"].as_f64().expect("a share"));
    let overlaps: Vec<f64> = overlaps.collect();
    assert!(
        overlaps[0] > 0.98 && overlaps[1] > 0.8 && overlaps[2] > 0.1,
        "{overlaps:?}"
    );
}
