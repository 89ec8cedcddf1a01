//! Making INT8 models from FP32 models.

#![allow(clippy::expect_used, clippy::panic)]

mod models;
mod refused;

use std::fs;
use std::path::Path;

use multivec::{
    ModelDirectory, QuantizeOptions, QuantizeReport, QuantizeStep, Result, quantize_model,
};
use multivec_testing::folders::{fixture, graph, in_graph, with_model};

/// The name and the number of layers, including embedding tables.
const MODELS: [(&str, usize); 2] = [("tiny-bert", 14), ("tiny-modernbert", 18)];

fn quantize(model: &Path, output: &Path, options: &QuantizeOptions) -> Result<QuantizeReport> {
    let directory = ModelDirectory::open(model)?;
    let mut ignore = |_: QuantizeStep| {};
    quantize_model(&directory, Some(output), options, &mut ignore)
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
