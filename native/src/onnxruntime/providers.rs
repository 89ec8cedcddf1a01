//! Execution providers: registration, shapes of batches, and requirements.

use multivec_core::batch::BatchShapes;
use multivec_core::{Error, Result};
use ort::session::builder::SessionBuilder;

use super::OnnxRuntime;
use super::provider_options::{dispatches, listed_name};
use crate::options::Provider;

/// Few shapes for providers that compile a graph, or plan its memory, anew for
/// each shape.
pub(super) fn batch_shapes(provider: &Provider) -> BatchShapes {
    match provider {
        Provider::Cpu | Provider::Auto | Provider::Xnnpack => BatchShapes::Exact,
        Provider::Cuda(_)
        | Provider::TensorRt(_)
        | Provider::CoreMl(_)
        | Provider::DirectMl(_)
        | Provider::MiGraphX(_)
        | Provider::Rocm(_)
        | Provider::OpenVino(_) => BatchShapes::Buckets,
    }
}

/// Registers a provider with a session.
pub(super) fn register(
    mut builder: SessionBuilder,
    provider: &Provider,
    threads: usize,
) -> Result<SessionBuilder> {
    for dispatch in dispatches(provider, threads) {
        let dispatch = dispatch.error_on_failure();
        builder = builder
            .with_execution_providers([dispatch])
            .map_err(|error| unavailable(provider, &format!("ONNX Runtime refused it: {error}")))?;
    }
    Ok(builder)
}

/// Fails if the library was built without the provider.
pub(crate) fn check_listed(runtime: &OnnxRuntime, provider: &Provider) -> Result<()> {
    let listed = runtime.providers()?;
    if listed.iter().any(|name| name == listed_name(provider)) {
        return Ok(());
    }
    let found = format!("{} has {}", runtime.path().display(), listed.join(", "));
    Err(unavailable(provider, &found))
}

pub(super) fn unavailable(provider: &Provider, found: &str) -> Error {
    let expected = match provider {
        Provider::Cpu | Provider::Auto => "a library of ONNX Runtime",
        Provider::Cuda(_) => {
            "the library of the Python package `onnxruntime-gpu`, with an NVIDIA driver and the \
             CUDA and cuDNN versions that its release names"
        }
        Provider::TensorRt(_) => {
            "the library of the Python package `onnxruntime-gpu`, with an NVIDIA driver and the \
             CUDA, cuDNN and TensorRT versions that its release names"
        }
        Provider::CoreMl(_) => {
            "macOS, with the library of the npm package `onnxruntime-node` or of the Python \
             package `onnxruntime`"
        }
        Provider::DirectMl(_) => {
            "Windows, with the library of the npm package `onnxruntime-node` or of the Python \
             package `onnxruntime-directml`"
        }
        Provider::MiGraphX(_) => "a library that was built with MIGraphX, as AMD publishes it",
        Provider::Rocm(_) => {
            "a library of version 1.22 or older that was built with ROCm, as AMD publishes it"
        }
        Provider::OpenVino(_) => {
            "the library of the Python package `onnxruntime-openvino`, with OpenVINO"
        }
        Provider::Xnnpack => "a library that was built with XNNPACK",
    };
    Error::provider_unavailable(provider, format_args!("expected {expected}"), found)
}
