//! Model directories on disk, and graphs in them.

use std::fs;
use std::path::{Path, PathBuf};

use multivec_graph::onnx::TensorProto;
use multivec_graph::{Bytes, Graph, Result};
use tempfile::TempDir;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A folder of `tests/fixtures`, or a file in it.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// Folders of `tests/fixtures/hub` with multi-vector models.
pub fn hub_models() -> Vec<PathBuf> {
    hub_models_of("mv")
}

/// Folders of `tests/fixtures/hub` whose names begin with a kind: models without
/// ONNX that have references.
pub fn hub_models_of(kind: &str) -> Vec<PathBuf> {
    let is_of = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.split('-').next() == Some(kind)
    };
    let entries = fs::read_dir(fixture("hub")).expect("the fixtures are there");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("reference.json").is_file() && is_of(path))
        .collect();
    folders.sort();
    assert!(folders.len() >= 2, "{folders:?}");
    folders
}

/// A fixture's directory with another FP32 model in it, and no INT8 model.
pub fn with_model(name: &str, model: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["onnx_config.json", "tokenizer.json"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).expect("it is copied");
    }
    fs::write(folder.path().join("model.onnx"), model).expect("it is written");
    folder
}

pub fn graph(path: &Path) -> Graph {
    let bytes = fs::read(path).expect("the graph can be read");
    Graph::parse("graph", bytes.into()).expect("it is a graph")
}

/// For graphs that contain all their tensors.
pub fn in_graph(_: &TensorProto) -> Result<Bytes> {
    panic!("no tensor is in another file")
}
