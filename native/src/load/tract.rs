//! The backend of tract, in builds that have it.

use multivec_core::{Backend, Result};

use crate::model::ModelFiles;
use crate::options::{LoadOptions, Parallelism};

#[cfg(feature = "tract")]
pub(crate) fn load(
    files: &ModelFiles,
    parallelism: Parallelism,
    options: &LoadOptions,
) -> Result<Box<dyn Backend>> {
    use crate::optimize::{GraphLoader, TractGraphs};
    use crate::options::Optimization;

    let published = GraphLoader {
        runner: TractGraphs {
            model: &files.model,
            precision: files.precision,
            concurrency: parallelism.sessions,
        },
        parts: &files.parts,
        precision: files.precision,
        normalization: options.encode.normalization,
        content: files.weights.to_hex(),
    };
    Ok(Box::new(match options.optimization {
        Optimization::Off => published.load()?,
        Optimization::Checked => published.load_fused(options.cache_dir.as_deref())?,
    }))
}

#[cfg(not(feature = "tract"))]
pub(crate) fn load(_: &ModelFiles, _: Parallelism, _: &LoadOptions) -> Result<Box<dyn Backend>> {
    Err(multivec_core::Error::EngineUnavailable {
        engine: "tract",
        expected: "expected a build of multivec with the cargo feature `tract`".to_owned(),
        tried: "this build, which is without it".to_owned(),
    })
}
