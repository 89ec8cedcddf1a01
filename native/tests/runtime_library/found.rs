//! Where a library is found, and which place comes first.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::child::{Case, library};

#[track_caller]
fn loaded_from(outcome: &Value, path: &Path) {
    assert_eq!(
        outcome["path"].as_str().map(Path::new),
        Some(path),
        "{outcome}"
    );
    let version = outcome["version"].as_str().expect("a version");
    assert!(version.starts_with("1."), "{version}");
    let providers = outcome["providers"].as_array().expect("a list");
    assert!(
        providers.contains(&"CPUExecutionProvider".into()),
        "{outcome}"
    );
}

#[test]
fn by_option_and_by_variable() {
    let library = library();
    loaded_from(&Case::new().load_option(&library), &library);
    let case = Case::new().variable("ORT_DYLIB_PATH", &library);
    loaded_from(&case.load(), &library);
}

#[test]
fn the_option_wins_over_the_variable() {
    let library = library();
    let case = Case::new().variable("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    loaded_from(&case.load_option(&library), &library);
}

#[test]
fn relative_paths_start_at_the_current_folder() {
    for name in ["libonnxruntime.so", "./lib/../libonnxruntime.so"] {
        let case = Case::new().variable("ORT_DYLIB_PATH", name);
        let folder = case.folder.path();
        fs::create_dir(folder.join("lib")).expect("a folder can be made");
        symlink(library(), folder.join("libonnxruntime.so")).expect("a link can be made");
        let outcome = case.load();
        let path = outcome["path"].as_str().unwrap_or_default();
        assert!(Path::new(path).is_absolute(), "{outcome}");
        assert!(path.ends_with("libonnxruntime.so"), "{outcome}");
    }
}

#[test]
fn beside_the_executable_before_npm_before_python() {
    let case = Case::new();
    let folder = case.folder.path().to_owned();
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let name = match system {
        "darwin" => "libonnxruntime.dylib",
        _ => "libonnxruntime.so",
    };
    let npm = folder.join(format!(
        "js/node_modules/onnxruntime-node/bin/napi-v6/{system}/{processor}"
    ));
    let python = folder.join("venv/lib/python3.13/site-packages/onnxruntime/capi");
    let case = case.variable("VIRTUAL_ENV", folder.join("venv"));
    for place in [&python, &npm, &folder] {
        fs::create_dir_all(place).expect("a folder can be made");
        let path = place.join(name);
        symlink(library(), &path).expect("a link can be made");
        loaded_from(&case.load(), &path);
    }
}

#[test]
fn unusable_libraries_are_passed_over() {
    let case = Case::new();
    let folder = case.folder.path().to_owned();
    let name = match std::env::consts::OS {
        "macos" => "libonnxruntime.1.dylib",
        _ => "libonnxruntime.so.1",
    };
    fs::write(folder.join(name), "no library").expect("a file can be written");
    let python = folder.join("lib/python3.13/site-packages/onnxruntime/capi");
    fs::create_dir_all(&python).expect("a folder can be made");
    symlink(library(), python.join(name)).expect("a link can be made");
    let case = case.variable("CONDA_PREFIX", &folder);
    loaded_from(&case.load(), &python.join(name));
}

#[test]
fn a_second_library_is_refused() {
    let library = library();
    let case = Case::new();
    let copy = case.folder.path().join("copy.so");
    fs::copy(&library, &copy).expect("the library can be copied");
    let link = case.folder.path().join("link.so");
    symlink(&library, &link).expect("a link can be made");
    let outcomes = case.load_each(&[&library, &copy, Path::new(""), &link, &library]);
    for at in [0, 2, 3, 4] {
        loaded_from(&outcomes[at], &library);
    }
    let message = outcomes[1]["message"].as_str().unwrap_or_default();
    assert_eq!(outcomes[1]["code"], "invalid_option", "{message}");
    for part in [
        "`library`",
        &library.display().to_string(),
        &copy.display().to_string(),
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn a_library_loads_after_a_failed_attempt() {
    let library = library();
    let case = Case::new();
    let wrong = case.folder.path().join("wrong.so");
    fs::write(&wrong, "no library").expect("a file can be written");
    let outcomes = case.load_each(&[&wrong, &wrong, &library]);
    assert_eq!(outcomes[0]["code"], "engine_unavailable");
    assert_eq!(outcomes[1]["message"], outcomes[0]["message"]);
    loaded_from(&outcomes[2], &library);
}
