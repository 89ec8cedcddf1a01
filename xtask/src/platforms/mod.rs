//! `cargo xtask test-platforms`: other platforms than this one, by emulation:
//! `windows`, `arm` and `macos`. For Linux on x86-64.

mod arm;
mod macos;
mod windows;

use std::path::Path;
use std::process::Command;

use crate::command::{Result, cargo, step, target};

pub(crate) fn run(arguments: &[String]) -> Result {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("expected Linux on x86-64, found another platform".to_owned());
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            macos::run()?;
            arm::run()?;
            windows::run()
        }
        ["arm"] => arm::run(),
        ["macos"] => macos::run(),
        ["windows"] => windows::run(),
        _ => Err(format!(
            "expected `arm`, `macos`, `windows` or nothing, found {arguments:?}"
        )),
    }
}

/// A cargo that builds for that platform, in a folder of its own.
fn cross(triple: &str) -> Command {
    let mut command = cargo();
    command
        .env("CARGO_BUILD_TARGET", triple)
        .env("CARGO_TARGET_DIR", target().join("platforms"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command
}

/// A search on the command line with that model and engine.
fn search(triple: &str, command: &mut Command, model: &Path, engine: &str) -> Result {
    step(
        &format!("a search on {triple}, with {engine}"),
        command
            .args(["search", "--documents", "models/demo-corpus.txt"])
            .args(["--top-k", "1", "--engine", engine, "--model"])
            .arg(model)
            .arg("Which animal makes honey?"),
    )
}
