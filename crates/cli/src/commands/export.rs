//! `multivec export`.

use std::path::PathBuf;

use clap::Args;
use multivec::{LoadOptions, Precision, Result, export_model};
use serde_json::json;

use crate::arguments::PrecisionName;
use crate::console::{Format, print};
use crate::models;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Model directory, or id.
    #[arg(long, value_name = "DIR|ID")]
    model: PathBuf,
    /// Output directory; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Weights to export [default: those that are not quantized].
    #[arg(long, conflicts_with = "file")]
    precision: Option<PrecisionName>,
    /// File of weights to export, by its path in the model directory.
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let precision = arguments.precision.map_or(Precision::Fp32, Precision::from);
    let mut options = LoadOptions::default();
    options.precision = Some(precision);
    options.file.clone_from(&arguments.file);
    let directory = models::directory(&arguments.model, &options)?;
    let chosen = match &arguments.file {
        Some(file) => directory.choose_file(file)?,
        None => directory.choose(Some(precision))?,
    };
    let exported = export_model(&directory, chosen, &arguments.output)?;
    let files = [Some(&exported.model), exported.data.as_ref()];
    let names = files
        .into_iter()
        .flatten()
        .map(|path| path.display().to_string());
    let names: Vec<String> = names.collect();
    match format {
        Format::Json => {
            let source = chosen.path();
            print(&json!({ "source": source, "files": names }).to_string())
        }
        Format::Text => print(&format!(
            "{} written to {}",
            chosen.path(),
            names.join(", ")
        )),
    }
}
