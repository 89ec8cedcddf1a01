//! The command line with the embedded demo model and with model directories.

#![allow(clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use safetensors::SafeTensors;
use serde_json::Value;

use command::{last_json, multivec};

const TEXTS: [&str; 3] = ["Bees make honey.", "", "naïve café Zürich"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn encode(kind: &str, input: &str, output: &str, more: &[&str]) -> Output {
    let mut arguments = vec![
        "encode",
        "--json",
        "--model",
        "tests/fixtures/tiny-bert",
        "--precision",
        "fp32",
        "--kind",
        kind,
        "--input",
        input,
        "--output",
        output,
    ];
    arguments.extend(more);
    multivec(&arguments)
}

fn shapes(file: &str) -> Vec<Vec<usize>> {
    let bytes = fs::read(file).expect("the output is there");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    (0..tensors.len())
        .map(|at| {
            let tensor = tensors.tensor(&at.to_string()).expect("a tensor per text");
            assert!(
                tensor.data().chunks_exact(4).all(|bytes| {
                    f32::from_le_bytes(bytes.try_into().expect("four bytes")).is_finite()
                }),
                "tensor {at}"
            );
            tensor.shape().to_vec()
        })
        .collect()
}

#[test]
fn encodes_plain_text_to_safetensors() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (path(&folder, "in.txt"), path(&folder, "out.safetensors"));
    fs::write(&input, TEXTS.join("\n") + "\n").expect("the input is written");
    let done = encode("query", &input, &output, &[]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(shapes(&output), vec![vec![24, 32]; 3]);

    let statistics = last_json(&done);
    assert_eq!(statistics["engine"], "onnxruntime");
    assert_eq!(statistics["provider"], "cpu");
    assert_eq!(statistics["precision"], "fp32");
    assert_eq!(statistics["texts"], 3);
    assert_eq!(statistics["tokens"], 72);
    assert!(statistics["load_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert!(statistics["encode_ms"].as_f64().is_some_and(|ms| ms > 0.0));

    let bytes = fs::read(&output).expect("the output is there");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().as_ref().expect("metadata");
    assert_eq!(
        metadata["space"],
        statistics["fingerprint"]["space"]
            .as_str()
            .expect("a space")
    );
    assert_eq!(metadata["kind"], "query");
}

#[test]
fn encodes_json_lines_with_ids_and_pools() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = path(&folder, "in.jsonl");
    let lines: Vec<String> = TEXTS
        .iter()
        .enumerate()
        .map(|(at, text)| serde_json::json!({"text": text, "id": format!("d{at}")}).to_string())
        .collect();
    fs::write(&input, lines.join("\n")).expect("the input is written");

    let plain = path(&folder, "plain.jsonl");
    let pooled = path(&folder, "pooled.jsonl");
    assert!(encode("document", &input, &plain, &[]).status.success());
    let done = encode("document", &input, &pooled, &["--pool-factor", "2"]);
    assert!(done.status.success(), "{done:?}");
    let rows = |file: &str| -> Vec<usize> {
        fs::read_to_string(file)
            .expect("the output is there")
            .lines()
            .enumerate()
            .map(|(at, line)| {
                let line: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(line["index"], at);
                assert_eq!(line["id"], format!("d{at}"));
                assert_eq!(line["space"].as_str().map(str::len), Some(32));
                line["embedding"].as_array().expect("rows").len()
            })
            .collect()
    };
    for (plain, pooled) in rows(&plain).into_iter().zip(rows(&pooled)) {
        assert_eq!(pooled, 1 + ((plain - 1) / 2).max(1));
    }
}

#[test]
fn reads_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = path(&folder, "out.safetensors");
    let mut child = Command::new(env!("CARGO_BIN_EXE_multivec"))
        .current_dir(root())
        .args([
            "encode", "--kind", "document", "--input", "-", "--output", &output,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("multivec starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"one\ntwo").expect("the pipe is open");
    drop(stdin);
    assert!(child.wait().expect("multivec ends").success());
    // The embedded demo model: [CLS], marker, word, [SEP].
    assert_eq!(shapes(&output), vec![vec![4, 128]; 2]);
}

#[test]
fn a_bad_line_leaves_no_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (path(&folder, "in.jsonl"), path(&folder, "out.safetensors"));
    fs::write(&input, "{\"text\": \"a\"}\n{\"text\": 3}\n").expect("the input is written");
    let done = encode("document", &input, &output, &[]);
    assert_eq!(done.status.code(), Some(1));
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        message.contains("in.jsonl:2: expected a JSON object"),
        "{message}"
    );
    assert_eq!(last_json(&done)["error"]["code"], "invalid_input");
    let left: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left, [PathBuf::from(input)]);
}

#[test]
fn an_older_output_survives_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (path(&folder, "in.txt"), path(&folder, "out.jsonl"));
    fs::write(&output, "older").expect("the output is written");
    fs::write(&input, b"fine\n\xff\n").expect("the input is written");
    assert_eq!(encode("query", &input, &output, &[]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&output).expect("it is there"), "older");
}

#[test]
fn usage_errors_end_with_2() {
    let cases: [&[&str]; 5] = [
        &[],
        &["encode", "--kind", "poem"],
        &["search", "--documents", "models/demo-corpus.txt"],
        &[
            "encode", "--kind", "query", "--input", "-", "--output", "x.npy",
        ],
        &["info", "--threads", "0"],
    ];
    for arguments in cases {
        let done = Command::new(env!("CARGO_BIN_EXE_multivec"))
            .current_dir(root())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("multivec starts");
        assert_eq!(done.status.code(), Some(2), "{arguments:?}");
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn errors_name_flags() {
    let cases: [(&[&str], &str); 5] = [
        (&["--threads", "0"], "--threads"),
        (&["--query-length", "1"], "--query-length"),
        (&["--batch-size", "0"], "--batch-size"),
        (&["--token-budget", "0"], "--token-budget"),
        (
            &["--provider", "rocm", "--device-memory", "0"],
            "--device-memory",
        ),
    ];
    for (arguments, flag) in cases {
        let done = multivec(&[&["info"], arguments].concat());
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {done:?}");
        let message = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(message.contains(flag), "{message}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let done = multivec(&["--version"]);
    assert!(done.status.success(), "{done:?}");
    let expected = concat!("multivec ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&done.stdout), expected);
}

#[test]
fn searches_and_explains() {
    let done = multivec(&[
        "search",
        "--json",
        "--explain",
        "--top-k",
        "2",
        "--documents",
        "models/demo-corpus.txt",
        "Which animal makes honey?",
        "What causes tides?",
    ]);
    assert!(done.status.success(), "{done:?}");
    let found = last_json(&done);
    let best = |query: usize| found["results"][query]["documents"][0]["text"].clone();
    assert!(best(0).as_str().is_some_and(|text| text.contains("honey")));
    assert!(best(1).as_str().is_some_and(|text| text.contains("tides")));
    let documents = found["results"][0]["documents"]
        .as_array()
        .expect("documents");
    assert_eq!(documents.len(), 2);
    assert!(documents[0]["score"].as_f64() >= documents[1]["score"].as_f64());
    let matches = documents[0]["matches"].as_array().expect("matches");
    assert!(
        matches
            .iter()
            .any(|pair| pair["query"] == "honey" && pair["document"] == "honey"),
        "{matches:?}"
    );
}

#[test]
fn shows_model_and_runtime() {
    let info = multivec(&[
        "info",
        "--json",
        "--model",
        "tests/fixtures/tiny-modernbert",
    ]);
    let info = last_json(&info);
    assert_eq!(info["precision"], "int8");
    assert_eq!(info["dim"], 32);
    assert_eq!(info["query_length"], 24);
    assert_eq!(info["fallback_operators"], serde_json::json!([]));
    let set = info["instruction_set"].as_str().expect("a name");
    assert!(set.ends_with("(the fastest of this machine)"), "{set}");
    let runtime = last_json(&multivec(&["runtime", "--json"]));
    assert!(
        runtime["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("1.")),
        "{runtime}"
    );
    let providers = runtime["providers"].as_array().expect("providers");
    assert!(
        providers.contains(&"CPUExecutionProvider".into()),
        "{runtime}"
    );
}

/// Kernels are held to an instruction set, and an unknown one is an error.
#[test]
fn holds_kernels_to_an_instruction_set() {
    let run = |set: &str| {
        Command::new(env!("CARGO_BIN_EXE_multivec"))
            .args(["info", "--json", "--model", "tests/fixtures/tiny-bert"])
            .current_dir(root())
            .env("MULTIVEC_MAX_ISA", set)
            .output()
            .expect("the command runs")
    };
    let info = last_json(&run("plain"));
    let set = info["instruction_set"].as_str().expect("a name");
    assert!(set.starts_with("plain (MULTIVEC_MAX_ISA=plain; the machine has "));
    let output = run("avx3");
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("MULTIVEC_MAX_ISA: ") && message.contains("found avx3"),
        "{message}"
    );
}

/// Only the cores that the process may use are counted.
#[cfg(target_os = "linux")]
#[test]
fn concurrency_follows_the_cpu_affinity() {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("a list of cores");
    let first = allowed.trim().split([',', '-']).next().expect("a core");
    let side_by_side = |command: &mut Command| {
        let done = command.current_dir(root()).output().expect("it starts");
        last_json(&done)["side_by_side"].as_u64()
    };
    let program = env!("CARGO_BIN_EXE_multivec");
    let all = side_by_side(Command::new(program).args(["info", "--json"]));
    let cores = std::thread::available_parallelism().expect("cores").get();
    assert_eq!(all, Some((cores / cores.div_ceil(16)) as u64));
    let one = side_by_side(Command::new("taskset").args(["-c", first, program, "info", "--json"]));
    assert_eq!(one, Some(1));
}

#[test]
fn a_provider_is_used_or_reported_as_an_error() {
    let unavailable = multivec(&["info", "--json", "--provider", "coreml"]);
    if !cfg!(target_vendor = "apple") {
        assert_eq!(unavailable.status.code(), Some(1));
        assert_eq!(
            last_json(&unavailable)["error"]["code"],
            "provider_unavailable"
        );
    }
    let auto = multivec(&["info", "--json", "--provider", "auto"]);
    assert!(last_json(&auto)["provider"].is_string());
    let cases: [&[&str]; 5] = [
        &["--provider", "cpu", "--device", "1"],
        &["--provider", "auto", "--tf32"],
        &["--provider", "cuda", "--device", "first"],
        &["--provider", "cuda", "--compute-units", "all"],
        &["--provider", "rocm", "--device-memory", "0"],
    ];
    for arguments in cases {
        let done = multivec(&[&["info"], arguments].concat());
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {done:?}");
    }
}

#[test]
fn a_missing_model_is_named() {
    let done = multivec(&["info", "--model", "no/such/model"]);
    assert_eq!(done.status.code(), Some(1));
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(message.contains("no/such/model"), "{message}");
}

#[test]
fn info_says_how_fast_both_forms_are() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let info = |more: &[&str]| {
        let program = env!("CARGO_BIN_EXE_multivec");
        let done = Command::new(program)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args(["info", "--json", "--model", "tests/fixtures/tiny-bert"])
            .args(more)
            .env("XDG_CACHE_HOME", cache.path())
            .env("HOME", cache.path())
            .env("MULTIVEC_MEASURE", "1")
            .output()
            .expect("multivec starts");
        assert!(done.status.success(), "{done:?}");
        last_json(&done)["speed"].as_str().map(str::to_owned)
    };
    let fp32 = ["--precision", "fp32"];
    let unmeasured = info(&[&fp32[..], &["--no-measure"]].concat());
    assert_eq!(unmeasured.as_deref(), Some("not measured"));
    let measured = info(&fp32).expect("a text");
    assert!(measured.starts_with("the fused form is "), "{measured}");
    assert!(measured.contains(": 1 x 8 tokens "), "{measured}");
    // The numbers of the first load.
    assert_eq!(info(&fp32).as_deref(), Some(measured.as_str()));
    let int8 = info(&["--precision", "int8"]).expect("a text");
    assert!(int8.contains("quantizes each row by itself"), "{int8}");
}

#[test]
fn a_fused_model_is_written_and_gives_the_same_vectors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fused = path(&folder, "fused");
    let arguments = ["--model", "tests/fixtures/tiny-bert", "--precision", "fp32"];
    let done = multivec(&[&["optimize", "--json", "--output", &fused], &arguments[..]].concat());
    assert!(done.status.success(), "{done:?}");
    let written = last_json(&done);
    assert_eq!(written["attentions"], 2);
    assert_eq!(written["gelus"], 2);
    assert!(written["nodes_after"].as_u64() < written["nodes_before"].as_u64());

    let graph = |more: &[&str]| {
        last_json(&multivec(
            &[&["info", "--json", "--no-measure"], more].concat(),
        ))
    };
    let loaded = graph(&arguments);
    assert!(
        loaded["graph"]
            .as_str()
            .is_some_and(|graph| graph.contains("2 attentions"))
    );
    let published = graph(&[&arguments[..], &["--no-optimize"]].concat());
    assert_eq!(published["graph"], "original");
    assert_eq!(loaded["space"], published["space"]);
    assert_ne!(loaded["computed"], published["computed"]);
    // A file of a fused graph is fused again.
    let again = graph(&["--model", &fused]);
    assert!(
        again["graph"]
            .as_str()
            .is_some_and(|graph| graph.contains("2 attentions")),
        "{again}"
    );

    let onto_itself = multivec(&["optimize", "--model", &fused, "--output", &fused]);
    assert_eq!(onto_itself.status.code(), Some(2));
}
