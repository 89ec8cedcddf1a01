//! The checks that need a browser.

use std::process::Command;

use crate::browser::{Browser, browser};
use crate::command::{Result, cargo, program, root, step, target};
use crate::{setup, tools};

/// Names the file that tells a driver what to start.
const CAPABILITIES: &str = "WASM_BINDGEN_TEST_WEBDRIVER_JSON";

pub(crate) fn web() -> Result {
    setup::node_packages()?;
    setup::rust_target(setup::WASM)?;
    let browser = browser()?;
    let js = root().join("js");
    step(
        "lints of what is for browsers alone",
        cargo()
            .args(["clippy", "--package", "multivec-wasm", "--tests"])
            .args(["--target", setup::WASM, "--", "--deny", "warnings"]),
    )?;
    tools::WASM_BINDGEN.install()?;
    step(
        "the npm package, with its WebAssembly builds",
        program("npm").args(["run", "build"]).current_dir(&js),
    )?;
    let capabilities = browser.capabilities(None)?;
    step(
        "tests in the browser",
        tests(&browser, &["browser", "kernels"], "+simd128").env(CAPABILITIES, &capabilities),
    )?;
    // Parity of the relaxed build is tested from the npm package. Built in a
    // folder of its own, so that neither has to be built anew next time.
    let relaxed = || {
        let mut command = tests(&browser, &["kernels"], "+simd128,+relaxed-simd");
        command.env("CARGO_TARGET_DIR", target().join("wasm/tests-relaxed"));
        command
    };
    step(
        "kernels in the browser, with relaxed SIMD",
        relaxed().env(CAPABILITIES, &capabilities),
    )?;
    step(
        "the same without AVX-VNNI, which makes other instructions of relaxed products on x86",
        relaxed().env(
            CAPABILITIES,
            browser.capabilities(Some("--no-enable-avx-vnni"))?,
        ),
    )?;
    step(
        "tests of the npm package, in Node and in the browser",
        program("npm")
            .args(["run", "test:built"])
            .current_dir(&js)
            .env("CHROMIUM_PATH", &browser.chromium),
    )
}

/// Tests of `wasm/tests` in the browser.
fn tests(browser: &Browser, names: &[&str], features: &str) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--package", "multivec-wasm"])
        .args(["--target", setup::WASM])
        .args(names.iter().flat_map(|name| ["--test", name]))
        .env("RUSTFLAGS", format!("-C target-feature={features}"))
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            tools::bin("wasm-bindgen-test-runner"),
        )
        .env("CHROMEDRIVER", &browser.driver)
        // Would be taken before it.
        .env_remove("GECKODRIVER")
        .env_remove("SAFARIDRIVER")
        .env("WASM_BINDGEN_TEST_ONLY_WEB", "1");
    command
}
