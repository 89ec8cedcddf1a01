//! `cargo xtask test`: every check; `test-crates`, `test-python` and `test-web`: its
//! parts; `test-provider`: parity on hardware of this machine.

pub(crate) mod web;

use std::process::Command;

use crate::command::{Result, answers, cargo, program, root, step};
use crate::{licenses, python, setup};

/// The environment variable that holds kernels to an instruction set.
pub(crate) const MAX_ISA: &str = "MULTIVEC_MAX_ISA";

/// All crates, with all features, since the command line takes those of the
/// library: the same in every step, so that no dependency is built twice.
const ALL: &str = "--workspace";

/// Parity on a provider of this machine, or the reason why it has none.
pub(crate) fn provider(arguments: &[String]) -> Result {
    let [provider] = arguments else {
        return Err(format!(
            "expected a provider, such as `coreml`, found {arguments:?}"
        ));
    };
    setup::node_packages()?;
    step(
        &format!("parity on the provider {provider}"),
        cargo()
            .args(["test", "--package", "multivec", "--test", "provider_parity"])
            // Reasons of what is skipped are printed.
            .args(["--", "--nocapture"])
            .env("MULTIVEC_TEST_PROVIDER", provider),
    )
}

pub(crate) fn run() -> Result {
    let package = web::build()?;
    crates()?;
    let in_python = python::test()?;
    web::web(package)?;
    in_python.finish()
}

/// The checks of the npm package alone.
pub(crate) fn npm() -> Result {
    web::web(web::build()?)
}

pub(crate) fn crates() -> Result {
    setup::node_packages()?;
    format()?;
    licenses::check()?;
    lints()?;
    tests()?;
    documentation()
}

fn format() -> Result {
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    step(
        "formatting and lints of TypeScript",
        program("npm")
            .args(["run", "lint"])
            .current_dir(root().join("js")),
    )
}

fn lints() -> Result {
    step(
        "lints",
        cargo()
            .arg("clippy")
            .arg(ALL)
            .args(["--all-targets", "--", "--deny", "warnings"]),
    )
}

fn tests() -> Result {
    step("tests", cargo().args(runner()).arg(ALL))?;
    // INT8 on all instruction sets is in `test-nightly kernels`.
    step(
        "FP32 with the kernels of machines without SIMD",
        cargo()
            .args(["test", ALL, "--test", "parity", "fp32"])
            .env(MAX_ISA, "plain"),
    )?;
    step(
        "documentation tests",
        cargo().args(["test", "--doc"]).arg(ALL),
    )
}

fn documentation() -> Result {
    step(
        "documentation",
        cargo()
            .args(["doc", "--no-deps", "--quiet"])
            .arg(ALL)
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

/// PyLate's references on each engine; a filter of tests may follow.
pub(crate) fn parity(command: &mut Command) -> &mut Command {
    command.args(["test", "--package", "multivec-core", "--test", "parity"])
}

/// nextest where it is installed.
fn runner() -> &'static [&'static str] {
    if answers(cargo().args(["nextest", "--version"])) {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests"]
    }
}
