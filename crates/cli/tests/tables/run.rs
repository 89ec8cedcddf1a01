//! Running `multivec encode` in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use multivec::Embedding;
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

pub const MODEL: &str = "tests/fixtures/tiny-bert";

/// Columns of the model's rows.
pub const DIM: usize = 32;

pub struct Run(pub TempDir);

impl Run {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, input: &str, output: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_multivec"));
        command
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args(["encode", "--json", "--precision", "fp32"])
            .args(["--kind", "document", "--input"])
            .arg(self.path(input))
            .arg("--output")
            .arg(self.path(output))
            .args(more);
        if !more.contains(&"--model") {
            command.args(["--model", MODEL]);
        }
        command
    }

    pub fn encode(&self, input: &str, output: &str, more: &[&str]) -> Output {
        let mut command = self.command(input, output, more);
        command.output().expect("multivec starts")
    }

    /// Encodes, and returns what the command prints.
    #[track_caller]
    pub fn encoded(&self, input: &str, output: &str, more: &[&str]) -> Value {
        let done = self.encode(input, output, more);
        assert!(done.status.success(), "{done:?}");
        last_json(&done)
    }

    /// The error of a run that fails.
    #[track_caller]
    pub fn refused(&self, input: &str, output: &str, more: &[&str]) -> String {
        let done = self.encode(input, output, more);
        assert!(!done.status.success(), "{done:?}");
        let message = last_json(&done)["error"]["message"].clone();
        message.as_str().expect("a message").to_owned()
    }

    /// The multi-vectors of a safetensors file, by the names of their texts.
    pub fn tensors(&self, name: &str) -> BTreeMap<String, Embedding> {
        let bytes = fs::read(self.path(name)).expect("the output is there");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let embedding = |tensor: safetensors::tensor::TensorView<'_>| {
            let values = tensor.data().as_chunks::<4>().0.iter();
            let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Embedding::from_rows(values, DIM).expect("whole rows")
        };
        let tensors = tensors.tensors().into_iter();
        tensors
            .map(|(name, tensor)| (name, embedding(tensor)))
            .collect()
    }
}

pub fn last_json(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().last().expect("a line on stdout");
    serde_json::from_str(line).expect("the last line is JSON")
}
