//! What the workspace's manifest says.

use std::fs;

use crate::command::{Result, root};

/// The crates that are published, each after those that it needs.
pub(crate) const PUBLISHED: [&str; 7] = [
    "multivec-kernels",
    "multivec-graph",
    "multivec-core",
    "multivec-tract",
    "multivec-arrow",
    "multivec",
    COMMAND_LINE,
];

/// Those of them that have a public interface.
pub(crate) const LIBRARIES: [&str; 6] = [
    "multivec-kernels",
    "multivec-graph",
    "multivec-core",
    "multivec-tract",
    "multivec-arrow",
    "multivec",
];

/// The crate with the program `multivec`.
pub(crate) const COMMAND_LINE: &str = "multivec-cli";

/// Those that are for this repository alone.
pub(crate) const UNPUBLISHED: [&str; 4] = [
    "multivec-python",
    "multivec-testing",
    "multivec-wasm",
    "xtask",
];

/// The version of all crates.
pub(crate) fn version() -> Result<String> {
    value("version = \"")
}

/// The version in a line `NAME = "=VERSION"`.
pub(crate) fn pinned_version(name: &str) -> Result<String> {
    value(&format!("{name} = \"="))
}

/// The oldest Rust that the crates promise to build with.
pub(crate) fn rust_version() -> Result<String> {
    value("rust-version = \"")
}

/// The packages that have a profile of their own for development.
pub(crate) fn optimized_packages() -> Result<Vec<String>> {
    let text = text()?;
    let names = text.lines().filter_map(|line| {
        line.strip_prefix("[profile.dev.package.")?
            .strip_suffix(']')
    });
    Ok(names.map(str::to_owned).collect())
}

/// The rest of the first line that starts so, without the closing quote.
fn value(start: &str) -> Result<String> {
    text()?
        .lines()
        .find_map(|line| line.strip_prefix(start)?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| {
            format!("Cargo.toml: expected a line that starts with `{start}`, found none")
        })
}

fn text() -> Result<String> {
    let path = root().join("Cargo.toml");
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}
