//! `cargo xtask test`: every check of the repository.

use crate::command::{Result, answers, cargo, program, step};
use crate::setup;

pub(crate) fn run() -> Result {
    setup::node_packages()?;
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    step(
        "lints",
        cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    let has_nextest = answers(cargo().args(["nextest", "--version"]));
    let runner: &[&str] = match has_nextest {
        true => &["nextest", "run", "--workspace"],
        false => &["test", "--workspace", "--all-targets"],
    };
    step("tests", cargo().args(runner))?;
    step(
        "documentation tests",
        cargo().args(["test", "--workspace", "--doc"]),
    )?;
    step(
        "documentation",
        cargo()
            .args(["doc", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    wasm_core()
}

/// The core has to stay free of everything that a browser lacks.
fn wasm_core() -> Result {
    const TARGET: &str = "wasm32-unknown-unknown";
    if answers(program("rustup").arg("--version")) {
        step(
            "the target wasm32-unknown-unknown",
            program("rustup").args(["target", "add", TARGET]),
        )?;
    }
    step(
        "the core for browsers",
        cargo().args(["check", "--package", "multivec-core", "--target", TARGET]),
    )
}
