//! The engine that `Engine::Auto` chooses, and telemetry.

use std::fs;

use crate::child::{Case, THREADS, library};

/// A library of the whole system cannot be hidden from the test.
fn is_onnxruntime_installed() -> bool {
    Case::new().load()["path"].is_string()
}

#[test]
fn onnxruntime_runs_where_it_is_found() {
    let outcome = Case::new().load_model_option(&library());
    assert_eq!(outcome["engine"], "onnxruntime", "{outcome}");
    let case = Case::new().variable("ORT_DYLIB_PATH", library());
    let outcome = case.load_model();
    assert_eq!(outcome["engine"], "onnxruntime", "{outcome}");
}

#[cfg(feature = "tract")]
#[test]
fn tract_runs_where_there_is_no_usable_library() {
    if is_onnxruntime_installed() {
        eprintln!("skipped: ONNX Runtime is installed in a folder of the system");
        return;
    }
    let case = Case::new();
    let outcome = case.load_model();
    assert_eq!(outcome["engine"], "tract", "{outcome}");
    assert_eq!(outcome["telemetry"], serde_json::Value::Null, "{outcome}");

    // One that the user has not named, and that cannot be loaded.
    let name = match std::env::consts::OS {
        "macos" => "libonnxruntime.dylib",
        _ => "libonnxruntime.so",
    };
    fs::write(case.folder.path().join(name), "no library").expect("a file can be written");
    let outcome = case.load_model();
    assert_eq!(outcome["engine"], "tract", "{outcome}");
}

#[cfg(not(feature = "tract"))]
#[test]
fn a_build_without_tract_needs_onnxruntime() {
    if is_onnxruntime_installed() {
        eprintln!("skipped: ONNX Runtime is installed in a folder of the system");
        return;
    }
    let outcome = Case::new().load_model();
    assert_eq!(outcome["code"], "engine_unavailable", "{outcome}");
}

#[test]
fn a_library_that_the_user_names_is_not_replaced_by_tract() {
    let case = Case::new();
    let broken = case.folder.path().join("broken.so");
    fs::write(&broken, "no library").expect("a file can be written");
    let outcome = case.load_model_option(&broken);
    assert_eq!(outcome["code"], "engine_unavailable", "{outcome}");
    let case = case.variable("ORT_DYLIB_PATH", broken);
    let outcome = case.load_model();
    assert_eq!(outcome["code"], "engine_unavailable", "{outcome}");
}

#[test]
fn options_that_tract_lacks_need_onnxruntime() {
    if is_onnxruntime_installed() {
        eprintln!("skipped: ONNX Runtime is installed in a folder of the system");
        return;
    }
    let outcome = Case::new().variable(THREADS, "2").load_model();
    assert_eq!(outcome["code"], "engine_unavailable", "{outcome}");
}

#[test]
fn telemetry_is_off_unless_the_application_decides() {
    let outcome = Case::new().load_model_option(&library());
    assert_eq!(outcome["telemetry"], "1", "{outcome}");
    for value in ["1", "", "0"] {
        let case = Case::new().variable("ORT_DISABLE_TELEMETRY", value);
        // Loads no library, so that nothing is sent whatever the value.
        let broken = case.folder.path().join("broken.so");
        fs::write(&broken, "no library").expect("a file can be written");
        let outcome = case.load_model_option(&broken);
        assert_eq!(outcome["telemetry"], value, "{outcome}");
    }
}
