//! `multivec optimize`.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use clap::Args;
use multivec::{
    Error, Fused, LoadOptions, ModelDirectory, ModelFormat, Precision, Result, optimize_model,
};
use serde_json::{Map, Value};

use crate::arguments::PrecisionName;
use crate::console::{Format, io_error, print};
use crate::models;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Model directory, or id.
    #[arg(long, value_name = "DIR|ID")]
    model: PathBuf,
    /// Output directory; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Weights to optimize, as they are stored [default: INT8 if the model has
    /// them].
    #[arg(long)]
    precision: Option<PrecisionName>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let precision = arguments.precision.map(Precision::from);
    let mut options = LoadOptions::default();
    options.precision = precision;
    let directory = models::directory(&arguments.model, &options)?;
    let chosen = directory.choose(precision)?;
    let (graph, fused) = optimize_model(&directory, chosen)?;
    let name = match chosen.named_precision() {
        Precision::Int8 => "model_int8.onnx",
        _ => "model.onnx",
    };
    let output = &arguments.output;
    let file = output.join(name);
    if is_same(&file, &directory.root().join(chosen.path())) {
        return Err(Error::option(
            "output",
            "a directory other than the model's",
            output.display(),
        ));
    }
    fs::create_dir_all(output).map_err(|error| failed(output, "creating", error))?;
    copy_rest(&directory, output)?;
    fs::write(&file, graph).map_err(|error| failed(&file, "writing", error))?;
    let counts = Fused::NAMES.into_iter().zip(fused.counts());
    if format == Format::Json {
        let counts = counts.map(|((name, _), count)| (name.to_owned(), count.into()));
        let file = ("file".to_owned(), file.display().to_string().into());
        let object: Map<String, Value> = iter::once(file).chain(counts).collect();
        return print(&Value::from(object).to_string());
    }
    for ((_, what), count) in counts {
        print(&format!("{what:<26}{count:>6}"))?;
    }
    print(&format!("written to {}", file.display()))
}

/// Copies what a model has beside its weights. The graph has what PyLate's own
/// configuration names, so that this alone goes with it.
fn copy_rest(directory: &ModelDirectory, output: &Path) -> Result<()> {
    let description = directory.description();
    let config = PathBuf::from(&description.config.file);
    let copies: Vec<(PathBuf, PathBuf)> = match description.format {
        ModelFormat::Exported | ModelFormat::PyLate => vec![
            (config, output.join("onnx_config.json")),
            (directory.tokenizer(), output.join("tokenizer.json")),
        ],
        _ => directory
            .files_besides_weights()
            .map(|name| (directory.root().join(name), output.join(name)))
            .collect(),
    };
    for (source, target) in copies {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, "creating", error))?;
        }
        fs::copy(&source, &target).map_err(|error| failed(&source, "copying", error))?;
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn failed(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    io_error(&path.display().to_string(), action, source)
}
