//! The checks that need a browser.

use std::process::Command;

use crate::browser::{browser, others};
use crate::command::{Background, Result, cargo, program, root, step, target};
use crate::{setup, tools};

const SIMD: &str = "+simd128";
/// Parity of the relaxed build is tested from the npm package.
const RELAXED: &str = "+simd128,+relaxed-simd";

/// Starts to build the npm package, with modules for tests: those that are published
/// take twice as long, and are tested nightly.
pub(crate) fn build() -> Result<Background> {
    setup::node_packages()?;
    setup::rust_target(setup::WASM)?;
    setup::rust_component("rust-src")?;
    tools::WASM_BINDGEN.install()?;
    Background::start(
        "the npm package, with its WebAssembly builds",
        "npm-package.log",
        program("npm")
            .args(["run", "build", "--", "--dev"])
            .current_dir(root().join("js")),
    )
}

/// Cargo for WebAssembly, on the dependencies of the modules for tests.
fn for_browsers(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command
        .args(arguments)
        .args(["--profile", "wasm-test"])
        .args(["--target", setup::WASM, "--target-dir"])
        .arg(target().join("wasm/test"))
        // As `wasm/build.mjs` sets it, or crates are built again.
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Lints of what is for browsers alone.
pub(crate) fn lints() -> Result {
    step(
        "lints of what is for browsers alone",
        for_browsers(&["clippy", "--tests"])
            .args(["--package", "multivec-wasm"])
            .args(["--package", "multivec-kernels"])
            .args(["--", "--deny", "warnings"]),
    )
}

/// Tests the npm package, once it is built.
pub(crate) fn web(package: Background) -> Result {
    let browser = browser()?;
    others()?;
    let js = root().join("js");
    package.finish()?;
    let chromium = browser.capabilities(None)?;
    // Makes other instructions of relaxed products on x86.
    let without_vnni = browser.capabilities(Some("--no-enable-avx-vnni"))?;
    for (what, package, features, capabilities) in [
        ("encoders", "multivec-wasm", SIMD, &chromium),
        ("kernels", "multivec-kernels", SIMD, &chromium),
        (
            "kernels with relaxed SIMD",
            "multivec-kernels",
            RELAXED,
            &chromium,
        ),
        (
            "the same without AVX-VNNI",
            "multivec-kernels",
            RELAXED,
            &without_vnni,
        ),
    ] {
        step(
            &format!("tests in the browser: {what}"),
            for_browsers(&["test", "--package", package, "--test", "browser"])
                .env("RUSTFLAGS", format!("-Ctarget-feature={features}"))
                .env(
                    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
                    tools::bin("wasm-bindgen-test-runner"),
                )
                .env("CHROMEDRIVER", &browser.driver)
                // Would be taken before it.
                .env_remove("GECKODRIVER")
                .env_remove("SAFARIDRIVER")
                .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities)
                .env("WASM_BINDGEN_TEST_ONLY_WEB", "1"),
        )?;
    }
    for (what, script) in [
        ("in Node", &["test:node"][..]),
        ("in Chromium", &["test:browser"]),
        ("in Firefox and WebKit", &["test:browsers"]),
        ("in what bundles it", &["test:matrix", "--", "--fast"]),
        ("as it is packed", &["test:package"]),
    ] {
        step(
            &format!("tests of the npm package: {what}"),
            program("npm")
                .arg("run")
                .args(script)
                .current_dir(&js)
                .env("CHROMIUM_PATH", &browser.chromium),
        )?;
    }
    Ok(())
}
