//! `cargo xtask test-nightly`: what takes too long for every change, or a
//! nightly compiler: `fuzz`, `miri`, `memory`, `forms`, `runtimes`, `kernels`,
//! `python`, `models` and `matrix`.

mod fuzz;
mod models;
mod runtimes;

use crate::browser::{browser, others};
use crate::command::{Result, answers, cargo, cargo_of, program, root, step, target};
use crate::test::{MAX_ISA, parity, web};
use crate::{python, setup, tools};

/// The environment variable with which tests leave nothing out.
const THOROUGH: &str = "MULTIVEC_THOROUGH";

pub(crate) fn run(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            fuzz::run(fuzz::SECONDS)?;
            miri()?;
            memory()?;
            forms()?;
            runtimes::run()?;
            kernels()?;
            python::nightly()?;
            models::run()?;
            matrix()
        }
        ["fuzz"] => fuzz::run(fuzz::SECONDS),
        ["fuzz", seconds] => fuzz::run(seconds),
        ["miri"] => miri(),
        ["memory"] => memory(),
        ["forms"] => forms(),
        ["runtimes"] => runtimes::run(),
        ["kernels"] => kernels(),
        ["python"] => python::nightly(),
        ["models"] => models::run(),
        ["matrix"] => matrix(),
        _ => Err(format!(
            "expected `fuzz [SECONDS]`, `miri`, `memory`, `forms`, `runtimes`, `kernels`, `python`, `models`, `matrix` or nothing, found {arguments:?}"
        )),
    }
}

/// Undefined behaviour in threads, aligned memory and the plain kernels; what
/// is written for an instruction set Miri does not know.
fn miri() -> Result {
    nightly()?;
    if !answers(cargo_of(NIGHTLY).args(["miri", "--version"])) {
        step(
            "the component miri",
            program("rustup").args([
                "component",
                "add",
                "--toolchain",
                NIGHTLY,
                "miri",
                "rust-src",
            ]),
        )?;
    }
    step(
        "kernels and their threads, interpreted",
        cargo_of(NIGHTLY)
            .args(["miri", "test", "--package", "multivec-kernels", "--lib"])
            // Hundreds of thousands of numbers each, which take hours. The first
            // has no unsafe code; the second has, and stays unchecked.
            .args(["--", "--skip", "exp::", "--skip", "overflow::"])
            // Threads read the clock, and tests leave some behind.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks")
            .env("CARGO_TARGET_DIR", target().join("miri")),
    )
}

/// Bounds of the memory that loading and encoding take.
fn memory() -> Result {
    setup::node_packages()?;
    step(
        "memory of the command line",
        cargo()
            .args(["test", "--package", crate::manifest::COMMAND_LINE])
            .args(["--test", "memory"]),
    )
}

/// Original graphs on tract too, in the tests that leave them out otherwise.
fn forms() -> Result {
    setup::node_packages()?;
    step(
        "the library's tests, with every form of graphs on each engine",
        cargo()
            .args(["test", "--package", "multivec", "--all-features"])
            .args(["--lib", "--tests"])
            .env(THOROUGH, "1"),
    )
}

const NIGHTLY: &str = "nightly";

fn nightly() -> Result {
    if answers(cargo_of(NIGHTLY).arg("--version")) {
        return Ok(());
    }
    step(
        "the nightly compiler",
        program("rustup").args(["toolchain", "install", NIGHTLY, "--profile", "minimal"]),
    )
}

/// Parity with the kernels held to each instruction set. One that the machine lacks
/// runs as the next one below.
fn kernels() -> Result {
    setup::node_packages()?;
    let names: &[&str] = if cfg!(target_arch = "x86_64") {
        &["plain", "avx2", "avx-vnni", "avx512-vnni"]
    } else {
        &["plain", "neon-dotprod", "neon-i8mm"]
    };
    for name in names {
        step(
            &format!("parity with kernels up to {name}"),
            parity(&mut cargo()).env(MAX_ISA, name),
        )?;
    }
    Ok(())
}

/// The npm package in every browser, bundler, framework and runtime.
fn matrix() -> Result {
    setup::node_packages()?;
    setup::rust_target(setup::WASM)?;
    tools::WASM_BINDGEN.install()?;
    let browser = browser()?;
    let js = root().join("js");
    step(
        "the npm package, with its WebAssembly builds",
        program("npm").args(["run", "build"]).current_dir(&js),
    )?;
    others()?;
    web::lints()?;
    step(
        "the npm package, with the modules that are published",
        program("npm")
            .args(["run", "test:published"])
            .current_dir(&js)
            .env("CHROMIUM_PATH", &browser.chromium),
    )?;
    step(
        "every test of the page, in Firefox and WebKit",
        program("npm")
            .args(["run", "test:browsers", "--", "--all"])
            .current_dir(&js),
    )?;
    step(
        "bundlers, frameworks and runtimes",
        program("npm")
            .args(["run", "test:matrix"])
            .current_dir(&js)
            .env("CHROMIUM_PATH", &browser.chromium),
    )
}
