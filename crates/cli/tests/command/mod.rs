//! Running `multivec` as a user does.

use std::process::{Command, Output};

use serde_json::Value;

/// Runs `multivec` in the repository's root.
pub fn multivec(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_multivec"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(arguments)
        .output()
        .expect("multivec starts")
}

/// The JSON object on the last line of stdout.
pub fn last_json(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().last().expect("a line on stdout");
    serde_json::from_str(line).expect("the last line is JSON")
}
