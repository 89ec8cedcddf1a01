//! `cargo xtask test-nightly`: what takes too long for every change, or a
//! nightly compiler: `fuzz`, `miri`, `memory`, `runtimes`, `kernels`, `python`
//! and `matrix`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::browser::{browser, others};
use crate::command::{Result, answers, cargo, cargo_of, output, program, root, step, target};
use crate::test::{MAX_ISA, parity};
use crate::{python, setup, tools};

/// How long inputs are tried, in seconds.
const FUZZ_SECONDS: &str = "600";

/// The oldest version of ONNX Runtime whose Python package has a library that
/// loads (1.17 and 1.18 are supported too), and the newest that
/// was tried; that of `js/package-lock.json` comes between.
const OLDEST: &str = "1.19.2";
const NEWEST: &str = "1.32.0";

pub(crate) fn run(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            fuzz(FUZZ_SECONDS)?;
            miri()?;
            memory()?;
            runtimes()?;
            kernels()?;
            python::nightly()?;
            matrix()
        }
        ["fuzz"] => fuzz(FUZZ_SECONDS),
        ["fuzz", seconds] => fuzz(seconds),
        ["miri"] => miri(),
        ["memory"] => memory(),
        ["runtimes"] => runtimes(),
        ["kernels"] => kernels(),
        ["python"] => python::nightly(),
        ["matrix"] => matrix(),
        _ => Err(format!(
            "expected `fuzz [SECONDS]`, `miri`, `memory`, `runtimes`, `kernels`, `python`, `matrix` or nothing, found {arguments:?}"
        )),
    }
}

/// Any bytes as graphs and as the small files of models, see `fuzz/README.md`.
fn fuzz(seconds: &str) -> Result {
    nightly()?;
    tools::CARGO_FUZZ.install()?;
    let fixtures = root().join("tests/fixtures");
    let graphs = corpus("graph")?;
    for model in files(&fixtures)? {
        if has_extension(&model, "onnx") {
            let copy = graphs.join(flat(&fixtures, &model));
            fs::copy(&model, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
        }
    }
    let folders = corpus("description")?;
    for config in files(&fixtures)? {
        if let (Some(folder), true) = (config.parent(), config.ends_with("config.json")) {
            let seed = folders.join(flat(&fixtures, folder));
            fs::write(&seed, small_files(folder)?)
                .map_err(|error| format!("{}: {error}", seed.display()))?;
        }
    }
    let weights = corpus("weights")?;
    for config in files(&fixtures)? {
        let Some(folder) = config.parent().filter(|_| config.ends_with("config.json")) else {
            continue;
        };
        let file = folder.join("model.safetensors");
        if file.is_file() {
            let seed = weights.join(flat(&fixtures, folder));
            fs::write(&seed, header_and_config(&file, &config)?)
                .map_err(|error| format!("{}: {error}", seed.display()))?;
        }
    }
    for (name, inputs, most) in [
        ("graph", graphs, "400000"),
        ("description", folders, "20000"),
        ("weights", weights, "40000"),
        ("corpus", corpus("corpus")?, "20000"),
    ] {
        step(
            &format!("fuzzing of `{name}`, for {seconds} s"),
            cargo_of(NIGHTLY)
                .args(["fuzz", "run", name])
                .arg(&inputs)
                .args(["--", "-timeout=20", "-rss_limit_mb=2048"])
                .arg(format!("-max_len={most}"))
                .arg(format!("-max_total_time={seconds}"))
                .env("CARGO_TARGET_DIR", target().join("fuzz"))
                .env("PATH", tools::path()?),
        )?;
    }
    Ok(())
}

/// The folder of the inputs of a target, which keeps what is found.
fn corpus(name: &str) -> Result<PathBuf> {
    let folder = target().join("fuzz-corpus").join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// A file name that has the whole path, as many have the same name.
fn flat(root: &Path, path: &Path) -> OsString {
    let names: Vec<_> = path
        .strip_prefix(root)
        .iter()
        .flat_map(|path| path.iter())
        .collect();
    names.join("-".as_ref())
}

/// What `fuzz_targets/weights.rs` reads.
fn header_and_config(weights: &Path, config: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let file = read(weights)?;
    let length = file.first_chunk().copied().map(u64::from_le_bytes);
    let header = length.and_then(|length| file.get(8..8 + usize::try_from(length).ok()?));
    let header = header.ok_or_else(|| format!("{}: expected a header", weights.display()))?;
    Ok([header, &[0xff], &read(config)?].concat())
}

/// A model's folder, as `fuzz_targets/description.rs` reads it.
fn small_files(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in files(folder)? {
        let inner = path.strip_prefix(folder).unwrap_or(&path);
        all.extend(inner.to_string_lossy().replace('\\', "/").as_bytes());
        all.push(b'\n');
        let is_large = inner == Path::new("tokenizer.json") || inner.starts_with("reference.json");
        if !is_large && (has_extension(inner, "json") || has_extension(inner, "metadata")) {
            let content = fs::read(&path);
            all.extend(content.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        all.push(0xff);
    }
    Ok(all)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The files in a folder and the folders in it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
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

/// Parity on other versions of ONNX Runtime than the one that is shipped.
fn runtimes() -> Result {
    setup::node_packages()?;
    for version in [OLDEST, &shipped()?, NEWEST] {
        let library = runtime(version)?;
        let mut cargo = cargo();
        let parity = parity(&mut cargo).env("ORT_DYLIB_PATH", library);
        if version == OLDEST {
            // Without VNNI, the products of 8 bits of its own operators saturate:
            // a mean cosine of 0.970 where newer versions have 0.992.
            parity.args(["--", "--skip", "int8_of_the_demo_model_original"]);
        }
        step(&format!("parity with ONNX Runtime {version}"), parity)?;
    }
    Ok(())
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

/// The version of the npm package.
fn shipped() -> Result<String> {
    let path = root().join("js/package.json");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("\"onnxruntime-node\": \"")?
                .split('"')
                .next()
        })
        .map(str::to_owned)
        .ok_or_else(|| format!("{}: expected onnxruntime-node, found none", path.display()))
}

/// The library of the Python package of that version.
fn runtime(version: &str) -> Result<PathBuf> {
    let folder = target().join("runtimes").join(version);
    let capi = folder.join("onnxruntime/capi");
    if library(&capi).is_none() {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let python = |arguments: &[&str]| {
            let mut command = program(if cfg!(windows) { "python" } else { "python3" });
            command.args(arguments).current_dir(&folder);
            command
        };
        let package = format!("onnxruntime=={version}");
        step(
            &format!("the Python package {package}"),
            &mut python(&[
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                &package,
            ]),
        )?;
        // A wheel is a zip file, which Python can read everywhere.
        let unpack = "import glob, zipfile; zipfile.ZipFile(glob.glob('*.whl')[0]).extractall()";
        output(&mut python(&["-c", unpack]))?;
    }
    library(&capi).ok_or_else(|| {
        format!(
            "{}: expected ONNX Runtime's library, found none",
            capi.display()
        )
    })
}

fn library(folder: &Path) -> Option<PathBuf> {
    let names = ["libonnxruntime.so.", "libonnxruntime.", "onnxruntime.dll"];
    let mut paths = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        names.iter().any(|start| name.starts_with(start))
    })
}
