//! `cargo xtask bench-model`: writes models of real ones' sizes, for benches.
//!
//! Their weights are drawn from a seed, so that their vectors mean nothing.

#[path = "shape.rs"]
mod shape;
#[path = "skeleton.rs"]
mod skeleton;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let result = match name.as_deref() {
        None | Some("int8") => skeleton::write("model_int8"),
        Some("fp32") => skeleton::write("model"),
        Some(name) => shape::write(name),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-model: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `benches/models`.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/models")
}

/// The folder of a model, which is created.
fn target(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/bench-models")
        .join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
