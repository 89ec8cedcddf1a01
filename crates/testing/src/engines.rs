//! Engines of this build, and models on them.

use std::path::Path;

use multivec::{Encoder, EncoderBuilder, Engine, Optimization, Precision, Result};

/// The engines of this build.
pub const ENGINES: &[Engine] = Engine::COMPILED;

/// Loads a model with an empty cache of fused graphs.
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
