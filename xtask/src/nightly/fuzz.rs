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
