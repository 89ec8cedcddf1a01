//! The models that are measured, as directories that every encoder can read.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{Encoder, EncoderBuilder, Precision};
use multivec_peers_protocol::Result;

/// A model in one precision.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: &'static str,
    pub precision: Precision,
    pub directory: PathBuf,
    /// The same model in FP32, where it is there.
    pub fp32: Option<PathBuf>,
}

impl Model {
    /// multivec with its defaults.
    pub fn encoder(&self) -> Result<Encoder> {
        load(&self.directory, self.precision)
    }

    /// Name and precision, for tables.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.precision)
    }

    /// The model file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(match self.precision {
            Precision::Fp32 => "model.onnx",
            _ => "model_int8.onnx",
        })
    }
}

pub fn load(directory: &Path, precision: Precision) -> Result<Encoder> {
    EncoderBuilder::from_dir(directory)
        .with_precision(precision)
        .build()
        .map_err(|error| error.to_string())
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .components()
        .collect()
}

/// Every model that is there: the demo model, in FP32 too where
/// `MULTIVEC_FP32_MODEL` is the path of its `model.onnx`, and what `cargo xtask
/// bench-model` made. Names of those that are not come with the reason.
pub fn all() -> Result<(Vec<Model>, Vec<String>)> {
    let mut models = Vec::new();
    let mut missing = Vec::new();
    let fp32 = std::env::var_os("MULTIVEC_FP32_MODEL").map(PathBuf::from);
    let demo = Model {
        name: "minilm-colbert",
        precision: Precision::Int8,
        directory: demo_directory(fp32.as_deref())?,
        fp32: None,
    };
    match &fp32 {
        Some(_) => {
            let fp32 = Some(demo.directory.clone());
            models.push(Model {
                fp32,
                ..demo.clone()
            });
            models.push(Model {
                precision: Precision::Fp32,
                fp32: Some(demo.directory.clone()),
                ..demo
            });
        }
        None => {
            models.push(demo);
            missing.push("minilm-colbert fp32: MULTIVEC_FP32_MODEL is not set".to_owned());
        }
    }
    let large = root().join("target/bench-models/gte-moderncolbert-shape");
    match large.join("model_int8.onnx").is_file() {
        true => models.push(Model {
            name: "gte-moderncolbert-shape",
            precision: Precision::Int8,
            fp32: large.join("model.onnx").is_file().then(|| large.clone()),
            directory: large,
        }),
        false => missing.push(
            "gte-moderncolbert-shape int8: `cargo xtask bench-model` did not make it".to_owned(),
        ),
    }
    Ok((models, missing))
}

/// The demo model's files beside its FP32 form, which is not in the repository.
fn demo_directory(fp32: Option<&Path>) -> Result<PathBuf> {
    let source = root().join("models/minilm-colbert");
    let directory = root().join("target/bench/models/minilm-colbert");
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
    let mut files: Vec<(PathBuf, &str)> = ["onnx_config.json", "tokenizer.json", "model_int8.onnx"]
        .map(|name| (source.join(name), name))
        .into();
    files.extend(fp32.map(|path| (path.to_owned(), "model.onnx")));
    for (from, name) in files {
        let to = directory.join(name);
        let length = |path: &Path| fs::metadata(path).map(|found| found.len());
        let expected = length(&from).map_err(|error| failed(&from, error))?;
        // The small files are cheap, and may have changed.
        if name.ends_with(".json") || length(&to).ok() != Some(expected) {
            fs::copy(&from, &to).map_err(|error| failed(&to, error))?;
        }
    }
    Ok(directory)
}
