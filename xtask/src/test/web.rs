//! The checks that need a browser.

use crate::browser::{browser, others};
use crate::command::{Background, Result, cargo, program, root, step};
use crate::{setup, tools};

/// Parity of the relaxed build is tested from the npm package.
const RELAXED: &str = "+simd128,+relaxed-simd";

/// Starts to build the npm package. Its last steps, links with optimization, keep
/// one core busy each.
pub(crate) fn build() -> Result<Background> {
    setup::node_packages()?;
    setup::rust_target(setup::WASM)?;
    setup::rust_component("rust-src")?;
    tools::WASM_BINDGEN.install()?;
    Background::start(
        "the npm package, with its WebAssembly builds",
        "npm-package.log",
        program("npm")
            .args(["run", "build"])
            .current_dir(root().join("js")),
    )
}

/// Tests the npm package, once it is built.
pub(crate) fn web(package: Background) -> Result {
    let browser = browser()?;
    others()?;
    let js = root().join("js");
    // The crates below have to stay free of everything that a browser lacks.
    step(
        "lints of what is for browsers alone",
        cargo()
            .args(["clippy", "--package", "multivec-wasm"])
            .args([
                "--package",
                "multivec-kernels",
                "--tests",
                "--target",
                setup::WASM,
                "--",
                "--deny",
                "warnings",
            ]),
    )?;
    package.finish()?;
    let chromium = browser.capabilities(None)?;
    // Makes other instructions of relaxed products on x86.
    let without_vnni = browser.capabilities(Some("--no-enable-avx-vnni"))?;
    for (what, package, features, capabilities) in [
        ("encoders", "multivec-wasm", "+simd128", &chromium),
        ("kernels", "multivec-kernels", "+simd128", &chromium),
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
            cargo()
                .args(["test", "--package", package, "--test", "browser"])
                .args(["--target", setup::WASM])
                .env("RUSTFLAGS", format!("-C target-feature={features}"))
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
    step(
        "tests of the npm package, in Node, in browsers and in what bundles it",
        program("npm")
            .args(["run", "test:built"])
            .current_dir(&js)
            .env("CHROMIUM_PATH", &browser.chromium),
    )
}
