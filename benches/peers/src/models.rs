//! The models that are measured, as directories that every encoder can read.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{Encoder, EncoderBuilder, Precision};
use multivec_peers_protocol::Result;
use serde_json::{Map, Value};

/// A model in one precision.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: &'static str,
    pub precision: Precision,
    pub directory: PathBuf,
    /// The same model in FP32, where it is there.
    pub fp32: Option<PathBuf>,
    /// How many times fewer documents are enough for it.
    pub scale: usize,
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
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// Every model that is there: the demo model, in FP32 too where
/// `MULTIVEC_FP32_MODEL` is the path of its `model.onnx`, and what `cargo xtask
/// bench-model` made; with `only`, the one with that title. Names of those that
/// are not there come with the reason.
pub fn all(only: Option<&str>) -> Result<(Vec<Model>, Vec<String>)> {
    let (mut models, missing) = find()?;
    if let Some(only) = only {
        models.retain(|model| model.title() == only);
        if models.is_empty() {
            return Err(format!(
                "--only: expected a model that is there, found `{only}`"
            ));
        }
    }
    Ok((models, missing))
}

fn find() -> Result<(Vec<Model>, Vec<String>)> {
    let mut models = Vec::new();
    let mut missing = Vec::new();
    let fp32 = std::env::var_os("MULTIVEC_FP32_MODEL").map(PathBuf::from);
    let source = root().join("models/minilm-colbert");
    let int8 = source.join("model_int8.onnx");
    let mut files = vec![(int8.as_path(), "model_int8.onnx")];
    files.extend(fp32.as_deref().map(|path| (path, "model.onnx")));
    let demo = Model {
        name: "minilm-colbert",
        precision: Precision::Int8,
        directory: directory("minilm-colbert", &source, &files)?,
        fp32: None,
        scale: 1,
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
    let names = ["model_int8.onnx", "model.onnx"];
    let paths = names.map(|name| large.join(name));
    let files: Vec<(&Path, &str)> = paths
        .iter()
        .zip(names)
        .filter(|(path, _)| path.is_file())
        .map(|(path, name)| (path.as_path(), name))
        .collect();
    if paths[0].is_file() {
        let directory = directory("gte-moderncolbert-shape", &large, &files)?;
        models.push(Model {
            name: "gte-moderncolbert-shape",
            precision: Precision::Int8,
            fp32: paths[1].is_file().then(|| directory.clone()),
            directory,
            scale: 4,
        });
    } else {
        missing.push(
            "gte-moderncolbert-shape int8: `cargo xtask bench-model` did not make it".to_owned(),
        );
    }
    Ok((models, missing))
}

/// Files of a model in a folder that every encoder reads as it is; models come
/// with the names that they get there.
fn directory(name: &str, source: &Path, models: &[(&Path, &str)]) -> Result<PathBuf> {
    let directory = root().join("target/bench/models").join(name);
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
    let config = source.join("onnx_config.json");
    fs::copy(&config, directory.join("onnx_config.json"))
        .map_err(|error| failed(&config, error))?;
    let tokenizer = source.join("tokenizer.json");
    let text = fs::read(&tokenizer).map_err(|error| failed(&tokenizer, error))?;
    let text =
        without_truncation(&text).map_err(|error| format!("{}: {error}", tokenizer.display()))?;
    let to = directory.join("tokenizer.json");
    fs::write(&to, text).map_err(|error| failed(&to, error))?;
    for (from, name) in models {
        let to = directory.join(name);
        let length = |path: &Path| fs::metadata(path).map(|found| found.len());
        let expected = length(from).map_err(|error| failed(from, error))?;
        if length(&to).ok() != Some(expected) {
            fs::copy(from, &to).map_err(|error| failed(&to, error))?;
        }
    }
    Ok(directory)
}

/// The tokenizer without a limit of its own. Some encoders cut texts there,
/// whatever the model's document length, and would have less to do.
fn without_truncation(tokenizer: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut parts: Map<String, Value> = serde_json::from_slice(tokenizer)?;
    parts.insert("truncation".to_owned(), Value::Null);
    serde_json::to_vec(&parts)
}
