//! Reports and exit codes of `quantize` and `verify`.

use std::fs;
use std::process::Output;

use super::shared::{last_json, multivec};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const BERT: &str = "tests/fixtures/tiny-bert";
const MODERNBERT: &str = "tests/fixtures/tiny-modernbert";

#[test]
fn quantize_reports_each_layer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().display().to_string();
    let arguments = ["quantize", "--model", MODERNBERT, "--output", &output];
    let done = multivec(&[&arguments[..], &["--json"]].concat());
    assert!(done.status.success(), "{done:?}");
    let report = last_json(&done);
    assert_eq!(report["layers"].as_array().map(Vec::len), Some(18));
    let (quantized, kept) = (&report["quantized"], &report["left_in_fp32"]);
    assert_eq!(
        quantized
            .as_u64()
            .zip(kept.as_u64())
            .map(|(one, two)| one + two),
        Some(18)
    );
    assert!(
        report["fidelity"]["mean"].as_f64() >= Some(0.998),
        "{report}"
    );
    assert!(report["fidelity"]["p1"].as_f64() >= Some(0.996), "{report}");
    assert!(report["bytes_after"].as_u64() < report["bytes_before"].as_u64());
    let in_fp32 = report["layers"].as_array().expect("layers").iter();
    let in_fp32 = in_fp32.filter(|layer| layer["precision"] == "fp32");
    assert_eq!(Some(in_fp32.count() as u64), kept.as_u64());

    let again = multivec(&arguments);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(stderr(&again).contains("model_int8.onnx"));
    let replaced = multivec(&[&arguments[..], &["--overwrite"]].concat());
    assert!(replaced.status.success(), "{replaced:?}");
    let text = String::from_utf8_lossy(&replaced.stdout).into_owned();
    for part in [
        "layers ",
        " of them smoothed, ",
        " left in FP32",
        "fidelity ",
        "size ",
        "written to ",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let missing = multivec(&["quantize", "--model", "models/minilm-colbert", "--json"]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(last_json(&missing)["error"]["code"], "missing_file");
}

#[test]
fn verify_measures_and_checks_thresholds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let picture = folder.path().join("cosines.svg").display().to_string();
    let verify = |more: &[&str]| {
        let arguments = ["verify", "--json", "--model", BERT];
        multivec(&[&arguments[..], more].concat())
    };
    let met = verify(&[
        "--picture",
        &picture,
        "--min-mean",
        "0.99",
        "--min-overlap",
        "0.7",
        "--max-batch-difference",
        "1e-5",
    ]);
    assert_eq!(met.status.code(), Some(0), "{met:?}");
    let report = last_json(&met);
    assert_eq!(report["model"]["precision"], "int8");
    assert_eq!(report["against"]["precision"], "fp32");
    assert_eq!(report["against"]["graph"], "original");
    assert!(report["cosine"]["tokens"].as_u64() > Some(1000), "{report}");
    let cosine = |key: &str| report["cosine"][key].as_f64().expect("a number");
    assert!(cosine("minimum") <= cosine("p1") && cosine("p1") <= cosine("p5"));
    assert!(cosine("p1") < cosine("mean") && cosine("mean") < 1.);
    assert_eq!(report["ranking"]["top"], 10);
    assert!(
        report["ranking"]["kendall_tau"].as_f64() > Some(0.7),
        "{report}"
    );
    assert_eq!(report["missed"], serde_json::json!([]));
    let svg = fs::read_to_string(&picture).expect("the picture is there");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<title>").count(), 40);

    let missed = verify(&["--min-mean", "0.9999", "--min-cosine", "0", "--min-p5", "1"]);
    assert_eq!(missed.status.code(), Some(1), "{missed:?}");
    let report = last_json(&missed);
    assert_eq!(report["missed"][0]["threshold"], "min-mean");
    assert_eq!(report["missed"][1]["threshold"], "min-p5");
    assert_eq!(report["missed"].as_array().map(Vec::len), Some(2));
    assert!(stderr(&missed).contains("missed: --min-mean 0.9999: found 0.99"));

    // Unfused, one scale per batch makes texts depend on their neighbours.
    let original = verify(&["--no-optimize", "--max-batch-difference", "1e-5"]);
    assert_eq!(original.status.code(), Some(1), "{original:?}");
    let report = last_json(&original);
    assert_eq!(report["missed"][0]["threshold"], "max-batch-difference");
}

#[test]
fn verify_takes_texts_and_other_models() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (documents, queries) = (path("documents.txt"), path("queries.jsonl"));
    fs::write(
        &documents,
        "Bees make honey.\nTides follow the Moon.\nParis\n",
    )
    .expect("written");
    fs::write(&queries, "{\"text\": \"honey\"}\n").expect("written");
    let same = ["verify", "--model", BERT, "--precision", "fp32", "--json"];
    let given = ["--documents", &documents, "--queries", &queries];
    let done = multivec(
        &[
            &same[..],
            &given,
            &["--min-cosine", "0.9999", "--min-overlap", "1"],
        ]
        .concat(),
    );
    assert!(done.status.success(), "{done:?}");
    let report = last_json(&done);
    assert_eq!(report["ranking"]["documents"], 3);
    assert_eq!(report["ranking"]["queries"], 1);
    assert_eq!(report["ranking"]["top"], 3);
    let done = multivec(&[&same[..], &given[..2]].concat());
    assert_eq!(last_json(&done)["ranking"]["queries"], 3);

    let other = multivec(&["verify", "--json", "--model", BERT, "--against", MODERNBERT]);
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    assert_eq!(last_json(&other)["error"]["code"], "dimension_mismatch");
    let no_rows = path("empty.txt");
    fs::write(&no_rows, "").expect("written");
    let done = multivec(&[&same[..], &["--documents", &no_rows]].concat());
    assert_eq!(last_json(&done)["error"]["code"], "invalid_option");
}

#[test]
fn verify_refuses_contradictions() {
    for more in [
        &["--model", BERT, "--pool-factor", "2"][..],
        &["--model", BERT, "--picture", "cosines.png"],
        &["--model", BERT, "--min-mean", "nan"],
        &["--model", BERT, "--queries", "queries.txt"],
        &["--model", BERT, "--against-engine", "abacus"],
        &[],
    ] {
        let done = multivec(&[&["verify"], more].concat());
        assert_eq!(done.status.code(), Some(2), "{more:?}: {done:?}");
    }
}
