//! The choice of an engine.

use multivec_core::{Error, Result};

use crate::onnxruntime::OnnxRuntime;
use crate::options::{Engine, LoadOptions, Optimization};
use crate::trace::event;

/// The engine to run, which is never [`Engine::Auto`].
///
/// tract takes the place of ONNX Runtime only if the user has neither named a
/// library nor set an option that ONNX Runtime alone has. Otherwise what is
/// wrong with the library is an error.
pub(super) fn choose(options: &LoadOptions) -> Result<Engine> {
    // Kernels have no way to refuse it.
    multivec_kernels::instruction_set()
        .map_err(|error| Error::option(multivec_kernels::MAX_ISA, error.expected(), error.found))?;
    Optimization::check_environment()?;
    if options.engine != Engine::Auto {
        return Ok(options.engine);
    }
    if !cfg!(feature = "tract") || options.needs_onnxruntime() {
        return Ok(Engine::OnnxRuntime);
    }
    match OnnxRuntime::load(None) {
        Ok(_) => Ok(Engine::OnnxRuntime),
        Err(Error::EngineUnavailable { .. }) if !OnnxRuntime::is_named() => {
            event!(WARN, "ONNX Runtime was not found: tract runs the model");
            Ok(Engine::Tract)
        }
        Err(error) => Err(error),
    }
}
