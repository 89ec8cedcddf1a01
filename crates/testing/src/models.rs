//! Fixtures as a user of the crate `multivec` loads them, but for the choice of
//! the faster form, which depends on the machine's load.

use std::fs;
use std::path::Path;

use multivec::{
    EncodeOptions, Encoder, EncoderBuilder, Error, ModelBytes, Optimization, Precision, Result,
};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{Fixture, TINY_MODERNBERT};

/// The files of a fixture.
pub fn bytes(fixture: &Fixture, precision: Precision) -> ModelBytes {
    let model = fixture.model(precision).expect("the fixture has the model");
    ModelBytes::new(fixture.config, fixture.tokenizer, model, precision)
}

pub fn load(fixture: &Fixture, precision: Precision, options: &EncodeOptions) -> Encoder {
    EncoderBuilder::from_bytes(bytes(fixture, precision))
        .with_encode_options(options.clone())
        .with_optimization(Optimization::Checked)
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", fixture.name))
}

/// The fixture's FP32 model with another configuration.
pub fn with_config(fixture: &Fixture, edit: impl FnOnce(&mut Map<String, Value>)) -> ModelBytes {
    let mut bytes = bytes(fixture, Precision::Fp32);
    bytes.config = edited(fixture.config, edit);
    bytes
}

/// The tiny ModernBERT's tokenizer and configuration with another graph, whose
/// vectors may have any width.
pub fn with_graph(graph: &[u8]) -> ModelBytes {
    let mut bytes = with_config(&TINY_MODERNBERT, |config| {
        config.remove("embedding_dim");
    });
    bytes.model = graph.to_vec();
    bytes
}

/// A JSON object after an edit.
pub fn edited(json: &[u8], edit: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
    let mut value = serde_json::from_slice(json).expect("the fixture is JSON");
    edit(&mut value);
    serde_json::to_vec(&value).expect("JSON can be written")
}

/// A folder with these files; names may have folders in them.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        let path = root.path().join(name);
        let parent = path.parent().expect("a file has a folder");
        fs::create_dir_all(parent).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }
    root
}

pub fn open(root: &Path) -> Result<Encoder> {
    let builder = EncoderBuilder::from_dir(root);
    builder.with_optimization(Optimization::Checked).build()
}

pub fn build(bytes: ModelBytes) -> Result<Encoder> {
    let builder = EncoderBuilder::from_bytes(bytes);
    builder.with_optimization(Optimization::Checked).build()
}

/// Asserts an error's code and the parts of its message.
#[track_caller]
pub fn refused<T>(result: Result<T>, code: &str, parts: &[&str]) {
    let error: Error = match result {
        Ok(_) => panic!("expected the error {code}, found success"),
        Err(error) => error,
    };
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}
