//! INT8 models made of FP32 models.

#![allow(clippy::expect_used, clippy::panic)]

mod command;
#[path = "../engines/mod.rs"]
mod engines;
mod memory;
mod models;
mod refused;
#[path = "../command/mod.rs"]
mod shared;

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{
    ModelDirectory, QuantizeOptions, QuantizeReport, QuantizeStep, Result, quantize_model,
};
use multivec_core::graph::onnx::TensorProto;
use multivec_core::graph::{Bytes, Graph};
use tempfile::TempDir;

/// Name, layers with the embedding table, and what is recognised in them.
const MODELS: [(&str, usize); 2] = [("tiny-bert", 14), ("tiny-modernbert", 18)];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(name)
}

fn quantize(model: &Path, output: &Path, options: &QuantizeOptions) -> Result<QuantizeReport> {
    let directory = ModelDirectory::open(model)?;
    let mut ignore = |_: QuantizeStep| {};
    quantize_model(&directory, Some(output), options, &mut ignore)
}

/// A fixture's directory with another FP32 model in it, and no INT8 model.
fn with_model(name: &str, model: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["onnx_config.json", "tokenizer.json"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).expect("it is copied");
    }
    fs::write(folder.path().join("model.onnx"), model).expect("it is written");
    folder
}

fn graph(path: &Path) -> Graph {
    let bytes = fs::read(path).expect("the graph can be read");
    Graph::parse("graph", bytes.into()).expect("it is a graph")
}

fn in_graph(_: &TensorProto) -> Result<Bytes> {
    panic!("no tensor is in another file")
}

/// Names of the files in a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
