//! The checks that need a browser.

use std::process::Command;

use crate::browser::{Browser, browser, others};
use crate::command::{Background, Result, cargo, program, root, step, target};
use crate::{setup, tools};

/// Of the kernels alone, so that their dependencies are those of the other suites, as in
/// `wasm/build.mjs`. Parity of the relaxed build is tested from the npm package.
const RELAXED: [&str; 4] = [
    "-Z",
    "profile-rustflags",
    "--config",
    r#"profile.wasm-test.package.multivec-kernels.rustflags = ["-Ctarget-feature=+relaxed-simd"]"#,
];

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

/// Tests the npm package, once it is built: suites beside each other that keep one core
/// busy each.
pub(crate) fn web(package: Background) -> Result {
    let browser = browser()?;
    others()?;
    package.finish()?;
    let in_node = npm_tests("in Node", &["test:node"]);
    let in_node = in_node.beside("npm-node.log", &browser)?;
    modules(&browser)?;
    in_node.finish()?;
    let in_others = npm_tests("in Firefox and WebKit", &["test:browsers"]);
    let in_others = in_others.beside("npm-browsers.log", &browser)?;
    npm_tests("in Chromium", &["test:browser"]).run(&browser)?;
    in_others.finish()?;
    npm_tests("in what bundles it", &["test:matrix", "--", "--fast"]).run(&browser)?;
    npm_tests("as it is packed", &["test:package"]).run(&browser)
}

/// Tests of the crates in a browser, without the npm package.
fn modules(browser: &Browser) -> Result {
    let chromium = browser.capabilities(None)?;
    // Makes other instructions of relaxed products on x86.
    let without_vnni = browser.capabilities(Some("--no-enable-avx-vnni"))?;
    for (what, package, relaxed, capabilities) in [
        ("encoders", "multivec-wasm", &[][..], &chromium),
        ("kernels", "multivec-kernels", &[], &chromium),
        (
            "kernels with relaxed SIMD",
            "multivec-kernels",
            &RELAXED,
            &chromium,
        ),
        (
            "the same without AVX-VNNI",
            "multivec-kernels",
            &RELAXED,
            &without_vnni,
        ),
    ] {
        step(
            &format!("tests in the browser: {what}"),
            for_browsers(&["test", "--package", package, "--test", "browser"])
                .args(relaxed)
                .env("RUSTFLAGS", "-Ctarget-feature=+simd128")
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
    Ok(())
}

/// A suite of the npm package.
struct Suite {
    what: String,
    command: Command,
}

fn npm_tests(place: &str, script: &[&str]) -> Suite {
    let mut command = program("npm");
    command.arg("run").args(script);
    command.current_dir(root().join("js"));
    Suite {
        what: format!("tests of the npm package: {place}"),
        command,
    }
}

impl Suite {
    fn run(mut self, browser: &Browser) -> Result {
        step(
            &self.what,
            self.command.env("CHROMIUM_PATH", &browser.chromium),
        )
    }

    /// Runs it beside the steps that follow.
    fn beside(mut self, log: &str, browser: &Browser) -> Result<Background> {
        let command = self.command.env("CHROMIUM_PATH", &browser.chromium);
        Background::start(&self.what, log, command)
    }
}
