//! `multivec runtime`.

use std::path::PathBuf;

use clap::Args;
use multivec::{OnnxRuntime, Result};
use serde_json::json;

use crate::console::{Format, print};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Library to use, ahead of those that are searched for.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let library = arguments.library.as_deref();
    let candidates = OnnxRuntime::candidates(library);
    if format == Format::Text {
        for candidate in &candidates {
            print(&format!("found      {candidate}"))?;
        }
    }
    let runtime = OnnxRuntime::load(library)?;
    let providers = runtime.providers()?;
    match format {
        Format::Text => {
            print(&format!("used       {}", runtime.path().display()))?;
            print(&format!("version    {}", runtime.version()))?;
            print(&format!("providers  {}", providers.join(", ")))
        }
        Format::Json => print(
            &json!({
                "path": runtime.path().display().to_string(),
                "version": runtime.version(),
                "providers": providers,
                "candidates": candidates.iter().map(|candidate| json!({
                    "path": candidate.path.display().to_string(),
                    "origin": candidate.origin,
                    "version": candidate.outcome.as_ref().ok(),
                    "error": candidate.outcome.as_ref().err(),
                })).collect::<Vec<_>>(),
            })
            .to_string(),
        ),
    }
}
