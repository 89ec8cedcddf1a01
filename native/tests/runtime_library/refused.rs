//! Unusable files give a typed error within a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::child::{self, Case, start};

/// Every error names the requirement and two ways to meet it.
const REQUIREMENTS: [&str; 4] = [
    "onnxruntime cannot be loaded",
    "ONNX Runtime 1.17 or newer",
    "npm package `onnxruntime-node`",
    "Python package `onnxruntime`",
];

#[track_caller]
fn unavailable(outcome: &Value, parts: &[&str]) {
    let message = outcome["message"].as_str().unwrap_or_default();
    assert_eq!(outcome["code"], "engine_unavailable", "{outcome}");
    for part in REQUIREMENTS.iter().chain(parts) {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    assert!(
        outcome["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds < 1.0),
        "{outcome}"
    );
}

/// Checks that a file is refused and named, by option and by variable.
#[track_caller]
fn refused(path: &Path, parts: &[&str]) {
    let name = path.display().to_string();
    let named: Vec<&str> = parts.iter().copied().chain([name.as_str()]).collect();
    let outcome = Case::new().load_option(path);
    unavailable(&outcome, &[&named[..], &["the option `library`"]].concat());
    let outcome = Case::new().variable("ORT_DYLIB_PATH", path).load();
    unavailable(&outcome, &[&named[..], &["ORT_DYLIB_PATH"]].concat());
}

fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file can be written");
    (folder, path)
}

/// A shared library made of C source.
fn compiled(source: &str) -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = file("library.c", source);
    let library = folder.path().join("libonnxruntime.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &path]);
    let status = start(&mut compiler, || ()).wait();
    assert!(status.expect("the compiler ends").success());
    (folder, library)
}

/// A library that reports a version, an expression of C, and has no API.
fn answering(version: &str) -> (tempfile::TempDir, PathBuf) {
    compiled(&format!(
        "typedef struct {{
            const void *(*get_api)(unsigned version);
            const char *(*get_version)(void);
        }} Base;
        static const void *get_api(unsigned version) {{ return 0; }}
        static const char *get_version(void) {{ return {version}; }}
        static const Base base = {{ get_api, get_version }};
        const Base *OrtGetApiBase(void) {{ return &base; }}"
    ))
}

#[test]
fn nothing_is_found() {
    let outcome = Case::new().load();
    // A library of the whole system cannot be hidden from the test.
    if let Some(path) = outcome["path"].as_str() {
        let system = ["/usr/", "/opt/"];
        assert!(
            system.iter().any(|folder| path.starts_with(folder)),
            "{path}"
        );
        return;
    }
    let places = [
        "the option `library`",
        "ORT_DYLIB_PATH",
        "beside the executable",
        "js/node_modules/onnxruntime-node",
        "onnxruntime/capi",
        "system's library folders",
    ];
    unavailable(&outcome, &places);
}

#[test]
fn nothing_is_at_the_path() {
    refused(Path::new("/nowhere/libonnxruntime.so"), &["No such file"]);
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    refused(folder.path(), &["expected a file, found a folder"]);
}

#[test]
fn a_device() {
    refused(Path::new("/dev/null"), &["expected a file"]);
}

#[test]
fn a_text_file_and_an_empty_one() {
    for content in ["this is not a library\n", ""] {
        let (_folder, path) = file("libonnxruntime.so", content);
        refused(&path, &[]);
    }
}

#[test]
fn half_a_library() {
    let (_folder, path) = file("libonnxruntime.so", "");
    let whole = fs::read(child::library()).expect("the library can be read");
    for part in [1, 50, 64, 500, whole.len() / 2, whole.len() * 9 / 10] {
        fs::write(&path, &whole[..part]).expect("a file can be written");
        refused(&path, &[]);
    }
}

#[test]
fn another_library() {
    let (_folder, path) = compiled("int answer(void) { return 42; }");
    refused(&path, &["expected ONNX Runtime, found another library"]);
}

#[test]
fn versions_that_are_too_old_or_unknown() {
    for version in ["1.10.0", "1.16.3", "0.9.0", "2.0.0", "", "latest"] {
        let (_folder, path) = answering(&format!("{version:?}"));
        let found = format!("expected version 1.17 or newer, found {version}");
        refused(&path, &[&found]);
    }
}

#[test]
fn no_version() {
    let (_folder, path) = answering("0");
    refused(&path, &["expected a version, found none"]);
}

#[test]
fn a_version_without_its_api() {
    let (_folder, path) = answering("\"1.99.0\"");
    refused(
        &path,
        &[
            "expected the API of version 1.17",
            "found none in version 1.99.0",
        ],
    );
}

#[test]
fn no_api_at_all() {
    let (_folder, path) = compiled("void *OrtGetApiBase(void) { return 0; }");
    refused(&path, &["expected an API, found none"]);
}

#[test]
fn the_error_names_every_file_that_was_tried() {
    let (_old, old) = answering("\"1.10.0\"");
    let case = Case::new();
    let folder = case.folder.path().to_owned();
    let name = match std::env::consts::OS {
        "macos" => "libonnxruntime.dylib",
        _ => "libonnxruntime.so",
    };
    let beside = folder.join(name);
    fs::write(&beside, "no library").expect("a file can be written");
    let python = folder.join("lib/python3.13/site-packages/onnxruntime/capi");
    fs::create_dir_all(&python).expect("a folder can be made");
    let python = python.join(name);
    fs::copy(old, &python).expect("a library can be copied");
    let outcome = case.variable("VIRTUAL_ENV", &folder).load();
    if outcome["path"].is_string() {
        return;
    }
    let (beside, python) = (beside.display().to_string(), python.display().to_string());
    let parts = [
        beside.as_str(),
        "beside the executable",
        python.as_str(),
        "the Python environment",
        "found 1.10.0",
    ];
    unavailable(&outcome, &parts);
}
