//! The backend of tract, in builds that have it.

use multivec_core::{Backend, Precision, Result};

#[cfg(feature = "tract")]
use crate::load::Optimization;
use crate::load::{ModelGraph, Options, Parallelism};

#[cfg(feature = "tract")]
pub(crate) fn load(
    model: ModelGraph,
    precision: Precision,
    parallelism: Parallelism,
    options: &Options,
) -> Result<Box<dyn Backend>> {
    let normalization = options.encode.normalization;
    let load = match options.optimization {
        Optimization::Off => multivec_wasm::TractBackend::load_published,
        Optimization::Checked => multivec_wasm::TractBackend::load,
    };
    let backend = load(&model.file, model.bytes, precision, normalization)?;
    Ok(Box::new(backend.with_concurrency(parallelism.sessions)))
}

#[cfg(not(feature = "tract"))]
pub(crate) fn load(
    _: ModelGraph,
    _: Precision,
    _: Parallelism,
    _: &Options,
) -> Result<Box<dyn Backend>> {
    Err(multivec_core::Error::EngineUnavailable {
        engine: "tract",
        expected: "expected a build of multivec with the cargo feature `tract`".to_owned(),
        tried: "this build, which is without it".to_owned(),
    })
}
