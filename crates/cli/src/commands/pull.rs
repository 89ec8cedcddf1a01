//! `multivec pull`.

use clap::Args;
use multivec::hub::{HubId, pull};
use multivec::{LoadOptions, Precision, Result};
use serde_json::json;

use crate::arguments::PrecisionName;
use crate::console::{Format, print};
use crate::downloads;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The model's id, `org/name` or `org/name@revision`.
    #[arg(value_name = "ID[@REVISION]")]
    model: HubId,
    /// Weights to download [default: INT8 if the model has them].
    #[arg(long, conflicts_with = "file")]
    precision: Option<PrecisionName>,
    /// File of weights to download, by its path in the repository.
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let mut options = LoadOptions::default();
    options.precision = arguments.precision.map(Precision::from);
    options.file.clone_from(&arguments.file);
    let model = pull(
        &arguments.model.to_string(),
        &downloads::options(),
        &options,
    )?;
    let folder = model.directory.root().display().to_string();
    match format {
        Format::Json => print(
            &json!({ "model": arguments.model.name(), "revision": model.commit, "folder": folder })
                .to_string(),
        ),
        Format::Text => print(&format!("{} is in {folder}", model.origin)),
    }
}
