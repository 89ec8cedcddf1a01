//! Engines of this build, and models on them.

#![allow(dead_code)]

use std::path::Path;

use multivec::{Encoder, EncoderBuilder, Engine, Optimization, Precision, Result};

pub const ENGINES: &[Engine] = match cfg!(feature = "tract") {
    true => &[Engine::OnnxRuntime, Engine::Tract],
    false => &[Engine::OnnxRuntime],
};

/// A model with nothing kept from loads before.
pub fn open(
    root: &Path,
    precision: Precision,
    engine: Engine,
    form: Optimization,
) -> Result<Encoder> {
    let cache = tempfile::tempdir().expect("a temporary folder");
    EncoderBuilder::from_dir(root)
        .with_precision(precision)
        .with_engine(engine)
        .with_optimization(form)
        .with_cache_dir(cache.path())
        .build()
}
