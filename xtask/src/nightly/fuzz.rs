//! `fuzz`: any bytes as graphs and as the small files of models.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{NIGHTLY, nightly};
use crate::command::{Result, cargo_of, root, step, target};
use crate::tools;

/// How long inputs are tried, in seconds.
pub(super) const SECONDS: &str = "600";

/// Any bytes as graphs and as the small files of models, see `fuzz/README.md`.
pub(super) fn run(seconds: &str) -> Result {
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
    let headers = corpus("header")?;
    let weights = corpus("weights")?;
    for config in files(&fixtures)? {
        let Some(folder) = config.parent().filter(|_| config.ends_with("config.json")) else {
            continue;
        };
        let name = flat(&fixtures, folder);
        seed(&folders.join(&name), &small_files(folder)?)?;
        let file = folder.join("model.safetensors");
        if file.is_file() {
            let header = header(&file)?;
            seed(&headers.join(&name), &header)?;
            seed(
                &weights.join(&name),
                &[&header, &[0xff][..], &read(&config)?].concat(),
            )?;
        }
    }
    for (name, inputs, most) in [
        ("graph", graphs, "400000"),
        ("description", folders, "20000"),
        ("header", headers, "20000"),
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

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn seed(path: &Path, bytes: &[u8]) -> Result {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// The header of a file of safetensors, without its length.
fn header(weights: &Path) -> Result<Vec<u8>> {
    let file = read(weights)?;
    let length = file.first_chunk().copied().map(u64::from_le_bytes);
    let header = length.and_then(|length| file.get(8..8 + usize::try_from(length).ok()?));
    let header = header.ok_or_else(|| format!("{}: expected a header", weights.display()))?;
    Ok(header.to_owned())
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
            all.extend(read(&path)?);
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
