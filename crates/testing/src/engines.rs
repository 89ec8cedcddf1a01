//! Engines of this build, and models on them.

use std::env;
use std::path::Path;

use multivec::{Encoder, EncoderBuilder, Engine, Optimization, Precision, Result};

/// The engines of this build.
pub const ENGINES: &[Engine] = Engine::COMPILED;

/// Both, for tests of builds that have them.
pub const BOTH: [Engine; 2] = [Engine::OnnxRuntime, Engine::Tract];
const FORMS: [Optimization; 2] = [Optimization::Checked, Optimization::Off];

/// Whether tests leave nothing out, as they do at night.
pub fn is_thorough() -> bool {
    env::var("MULTIVEC_THOROUGH").is_ok_and(|value| value == "1")
}

/// Both forms of a graph. The original one on tract, which takes most of the time where
/// tract is not optimized, is left to the night: a fused one was compared with it when
/// it was loaded.
pub fn forms(engine: Engine) -> &'static [Optimization] {
    match engine {
        Engine::Tract if !is_thorough() => &FORMS[..1],
        _ => &FORMS,
    }
}

/// The forms on both engines.
pub fn engines_and_forms() -> impl Iterator<Item = (Engine, Optimization)> {
    BOTH.into_iter()
        .flat_map(|engine| forms(engine).iter().map(move |&form| (engine, form)))
}

/// A model in floats, as references are: on both engines, fused and as it is, with
/// names for messages.
pub fn in_floats(folder: &Path) -> impl Iterator<Item = (String, EncoderBuilder)> {
    let builder = EncoderBuilder::from_dir(folder).with_precision(Precision::Fp32);
    engines_and_forms().map(move |(engine, form)| {
        let name = format!("{} {engine:?} {form:?}", folder.display());
        let builder = builder.clone().with_engine(engine);
        (name, builder.with_optimization(form))
    })
}

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
