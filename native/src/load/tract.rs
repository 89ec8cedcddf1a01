//! Models in tract, in builds that have it.

use multivec_core::{Backend, Result};

use crate::model::ModelFiles;
use crate::options::{LoadOptions, Parallelism};

#[cfg(feature = "tract")]
pub(super) fn load(
    files: &ModelFiles,
    parallelism: Parallelism,
    options: &LoadOptions,
) -> Result<Box<dyn Backend>> {
    use crate::optimize::{GraphLoader, TractGraphs};

    let graphs = GraphLoader {
        runner: TractGraphs {
            model: &files.model,
            precision: files.precision,
            concurrency: parallelism.sessions,
        },
        parts: &files.parts,
        precision: files.precision,
        normalization: files.normalization,
        content: files.weights.to_hex(),
    };
    Ok(Box::new(graphs.load_as(options)?))
}

#[cfg(not(feature = "tract"))]
pub(super) fn load(_: &ModelFiles, _: Parallelism, _: &LoadOptions) -> Result<Box<dyn Backend>> {
    Err(multivec_core::Error::engine_unavailable(
        "tract",
        "expected a build of multivec with the cargo feature `tract`",
        "this build, which is without it",
    ))
}
