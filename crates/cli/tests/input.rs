//! What `multivec encode` makes of lines that cannot be used, and of texts that
//! cannot be encoded.

#![allow(clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use multivec::{EncoderBuilder, TextKind};
use multivec_testing::folders::with_model;
use multivec_testing::graphs::{self, lookup};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

use command::{last_json, multivec};

/// The columns that the fixture's configuration states.
const DIM: usize = 32;

/// A model that gives the word `honey` a vector that is not finite.
fn model() -> TempDir {
    let mut graph = lookup(2050, DIM);
    let intact = with_model("tiny-modernbert", &graphs::model(graph.clone()));
    let encoder = EncoderBuilder::from_dir(intact.path()).build();
    let encoder = encoder.expect("the model loads");
    let tokens = |text| {
        let tokens = encoder.tokenize(&[text], TextKind::Document);
        tokens.expect("it tokenizes")[0].input_ids().to_vec()
    };
    let common = tokens("make");
    for id in tokens("make honey") {
        if !common.contains(&id) {
            graph.initializer[0].float_data[id as usize * DIM] = f32::NAN;
        }
    }
    with_model("tiny-modernbert", &graphs::model(graph))
}

struct Run {
    folder: TempDir,
    model: TempDir,
}

impl Run {
    fn new(name: &str, content: &str) -> Self {
        let run = Self {
            folder: tempfile::tempdir().expect("a folder"),
            model: model(),
        };
        fs::write(run.path(name), content).expect("the input is written");
        run
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn encode(&self, input: &str, output: &str, more: &[&str]) -> Output {
        let (input, output) = (self.path(input), self.path(output));
        let model = self.model.path().display().to_string();
        let flags = ["encode", "--kind", "document", "--model", &model];
        let files = ["--input", &input, "--output", &output];
        multivec(&[&flags[..], &files, more].concat())
    }
}

/// Seven lines, five of them texts, of which three can be encoded.
fn lines() -> String {
    [
        "\u{feff}{\"text\": \"Bees\", \"id\": \"a\"}",
        "",
        "{\"text\": 7}",
        "{\"text\": \"make honey\", \"id\": \"c\"}",
        "{\"text\": \"in\"}",
        "{\"text\": \"summer\", \"id\": \"e\"}",
        "  ",
    ]
    .join("\r\n")
}

#[test]
fn skipped_texts_are_counted_and_listed() {
    let run = Run::new("in.jsonl", &lines());
    let done = run.encode("in.jsonl", "out.jsonl", &["--json", "--on-error", "skip"]);
    assert!(done.status.success(), "{done:?}");
    let found = last_json(&done);
    assert_eq!(found["texts"], 3);
    assert_eq!(found["skipped"], 2);
    let skipped = found["skipped_texts"].as_array().expect("a list");
    let places = skipped
        .iter()
        .map(|text| json!([text["line"], text["index"], text["id"]]));
    let expected = [json!([3, 1, null]), json!([4, 2, "c"])];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    let reason = |at: usize| skipped[at]["reason"].as_str().expect("a reason");
    assert!(reason(0).starts_with("expected a JSON object"), "{found}");
    assert!(
        reason(1).starts_with("text 2: expected vectors of finite"),
        "{found}"
    );

    let output = fs::read_to_string(run.path("out.jsonl")).expect("it is there");
    let written = output.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        json!([line["index"], line["id"]])
    });
    let expected = [json!([0, "a"]), json!([3, null]), json!([4, "e"])];
    assert_eq!(written.collect::<Vec<_>>(), expected);

    let shown = run.encode("in.jsonl", "shown.jsonl", &["--on-error", "skip"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for part in ["3 texts", "2 skipped", "line 3: ", "line 4 (id \"c\"): "] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn tensors_have_the_names_of_their_texts() {
    let run = Run::new("in.jsonl", &lines());
    let done = run.encode("in.jsonl", "out.safetensors", &["--on-error", "skip"]);
    assert!(done.status.success(), "{done:?}");
    let bytes = fs::read(run.path("out.safetensors")).expect("it is there");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(names, ["3", "a", "e"]);
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().as_ref().expect("metadata");
    let ids: Value = serde_json::from_str(&metadata["ids"]).expect("a list of ids");
    assert_eq!(ids, json!(["a", null, null, null, "e"]));
}

#[test]
fn a_text_without_finite_vectors_ends_a_run() {
    let run = Run::new(
        "in.jsonl",
        "{\"text\": \"a\"}\n{\"text\": \"honey\", \"id\": 9}\n",
    );
    let done = run.encode("in.jsonl", "out.jsonl", &["--json"]);
    assert_eq!(done.status.code(), Some(1));
    let error = &last_json(&done)["error"];
    assert_eq!(error["code"], "non_finite_vector");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("in.jsonl:2: id 9: text 1: "), "{message}");
    let left = fs::read_dir(run.folder.path()).expect("it is there");
    assert_eq!(left.count(), 1, "only the input is left");
}

#[test]
fn search_names_such_a_document() {
    let run = Run::new("in.txt", "Bees\nmake honey\n");
    let model = run.model.path().display().to_string();
    let documents = run.path("in.txt");
    let done = multivec(&["search", "--model", &model, "--documents", &documents, "a"]);
    assert_eq!(done.status.code(), Some(1));
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(message.contains("in.txt:2: text 1: "), "{message}");
}

/// The texts of standard input, by their numbers of rows.
fn rows(input: &[u8], more: &[&str]) -> Vec<usize> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_multivec"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(["encode", "--kind", "document", "--input", "-", "--output"])
        .arg(&output)
        .args(["--model", "tests/fixtures/tiny-bert"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("multivec starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("the pipe is open");
    drop(stdin);
    assert!(child.wait().expect("multivec ends").success());
    count(&output)
}

fn count(output: &Path) -> Vec<usize> {
    let lines = fs::read_to_string(output).expect("the output is there");
    let rows = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["embedding"].as_array().expect("rows").len()
    });
    rows.collect()
}

#[test]
fn standard_input_is_told_apart() {
    let lines = b"\xef\xbb\xbf\n{\"text\": \"a\"}\n\n{\"text\": \"a\"}\n";
    let text = rows(b"a\n", &[]);
    assert_eq!(rows(lines, &[]), [text[0], text[0]]);
    let lines = b"{\"text\": \"a\"}\n";
    assert_eq!(rows(lines, &["--format", "jsonl"]), text);
    assert!(rows(lines, &["--format", "text"])[0] > text[0]);
    assert_eq!(rows(b"a {\n", &[]).len(), 1);
}

/// The name of a file decides, unless a flag does.
#[test]
fn files_are_read_as_they_are_named() {
    let run = Run::new("in.txt", "{\"text\": \"a\"}\n\n");
    let texts = |more: &[&str]| {
        let more = [&["--json"], more].concat();
        last_json(&run.encode("in.txt", "out.jsonl", &more))["texts"].clone()
    };
    assert_eq!(texts(&[]), 2);
    assert_eq!(texts(&["--format", "jsonl"]), 1);
}
