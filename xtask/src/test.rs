//! `cargo xtask test`: every check; `cargo xtask test-web`: those of the npm
//! package and of the WebAssembly builds alone.

use crate::command::{Result, answers, cargo, program, root, step};
use crate::setup;

pub(crate) fn run() -> Result {
    crates()?;
    web()
}

fn crates() -> Result {
    setup::node_packages()?;
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    // `tract` is the one feature that is off by default.
    let all = ["--workspace", "--features", "multivec/tract"];
    step(
        "lints",
        cargo()
            .arg("clippy")
            .args(all)
            .args(["--all-targets", "--", "--deny", "warnings"]),
    )?;
    let has_nextest = answers(cargo().args(["nextest", "--version"]));
    let runner: &[&str] = match has_nextest {
        true => &["nextest", "run"],
        false => &["test", "--lib", "--bins", "--tests"],
    };
    step("tests", cargo().args(runner).args(all))?;
    step(
        "tests of a build without tract",
        cargo()
            .args(runner)
            .args(["--package", "multivec", "--test", "engine"]),
    )?;
    step(
        "documentation tests",
        cargo().args(["test", "--doc"]).args(all),
    )?;
    step(
        "documentation",
        cargo()
            .args(["doc", "--no-deps", "--quiet"])
            .args(all)
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    step(
        "the library without the command line",
        cargo().args(["check", "--package", "multivec", "--no-default-features"]),
    )?;
    setup::wasm_target()?;
    // The core has to stay free of everything that a browser lacks.
    step(
        "the core for browsers",
        cargo().args([
            "check",
            "--package",
            "multivec-core",
            "--target",
            setup::WASM,
        ]),
    )
}

/// The checks that need a browser.
pub(crate) fn web() -> Result {
    setup::node_packages()?;
    setup::wasm_target()?;
    let browser = setup::browser()?;
    let js = root().join("js");
    step(
        "lints of what is for browsers alone",
        cargo().args([
            "clippy",
            "--package",
            "multivec-wasm",
            "--tests",
            "--target",
            setup::WASM,
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    step(
        "the npm package, with its WebAssembly builds",
        program("npm").args(["run", "build"]).current_dir(&js),
    )?;
    let wasm_pack = setup::wasm_pack()?;
    let path = setup::path_with_tools()?;
    let in_browser = |tests: &[&str], features: &str| {
        let mut command = program(&wasm_pack.to_string_lossy());
        command
            .args(["test", "--headless", "--chrome", "--mode", "no-install"])
            .arg("--chromedriver")
            .arg(&browser.driver)
            .arg("wasm")
            .args(tests.iter().flat_map(|test| ["--test", test]))
            .env("RUSTFLAGS", format!("-C target-feature={features}"))
            .env("PATH", &path);
        command
    };
    step(
        "tests in the browser",
        &mut in_browser(&["browser", "kernels"], "+simd128"),
    )?;
    // Parity of the relaxed build is tested from the npm package. Built in a
    // folder of its own, so that neither has to be built anew next time.
    let relaxed = || {
        let mut command = in_browser(&["kernels"], "+simd128,+relaxed-simd");
        command.env("CARGO_TARGET_DIR", root().join("target/wasm/tests-relaxed"));
        command
    };
    step("kernels in the browser, with relaxed SIMD", &mut relaxed())?;
    step(
        "the same without AVX-VNNI, which makes other instructions of relaxed products on x86",
        relaxed().env(
            "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
            root().join("wasm/webdriver-without-vnni.json"),
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
