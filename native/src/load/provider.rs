//! The choice of a provider.

use multivec_core::equivalence::Probes;
use multivec_core::{Backend, ModelKind, Precision, Result};

use super::onnxruntime::{Loaded, load};
use super::source::Source;
use crate::onnxruntime::{self, OnnxRuntime};
use crate::options::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, LoadOptions, OpenVinoOptions, Provider,
};

/// The largest difference of a component from the CPU's vectors, for rows of
/// length 1. Devices that compute in 16 bits differ by about 1e-3, those that
/// compute something else by 0.1 and more.
const MAX_DIFFERENCE: f32 = 5e-3;

/// Providers to choose from, the best first. TensorRT is not one of them,
/// since it takes minutes to load, nor is XNNPACK, which runs on the same CPU.
fn candidates() -> [Provider; 6] {
    [
        Provider::Cuda(CudaOptions::default()),
        Provider::MiGraphX(AmdOptions::default()),
        Provider::Rocm(AmdOptions::default()),
        Provider::CoreMl(CoreMlOptions::default()),
        Provider::DirectMl(DirectMlOptions::default()),
        Provider::OpenVino(OpenVinoOptions::default()),
    ]
}

/// Loads a model on the first candidate that works, otherwise on the CPU.
pub(super) fn load_on_best(
    source: &Source,
    options: &LoadOptions,
    wanted: Option<ModelKind>,
) -> Result<Loaded> {
    let runtime = OnnxRuntime::load(options.library.as_deref())?;
    for candidate in candidates() {
        if onnxruntime::check_listed(&runtime, &candidate).is_err() {
            continue;
        }
        // A user who asks for this provider by name is told why it fails.
        if let Ok(loaded) = load(source, options, candidate, wanted)
            && works(&loaded, source, options, wanted)
        {
            return Ok(loaded);
        }
    }
    load(source, options, Provider::Cpu, wanted)
}

/// Whether a provider runs at least half of the model's operators, and gives
/// the CPU's vectors.
fn works(
    loaded: &Loaded,
    source: &Source,
    options: &LoadOptions,
    wanted: Option<ModelKind>,
) -> bool {
    let Loaded { files, backend } = loaded;
    let placement = backend.placement();
    let runs_half = placement.is_some_and(|found| found.placed * 2 >= found.all);
    let compare = || {
        let options = LoadOptions {
            precision: Some(files.precision),
            ..options.clone()
        };
        let cpu = load(source, &options, Provider::Cpu, wanted)?.backend;
        let probes = Probes::new(
            files.parts.tokenizer(),
            files.parts.config().document_length,
        );
        let run = |backend: &dyn Backend| probes.run(backend);
        let found = probes.compare(&run(&cpu)?, &run(backend)?, Precision::Fp32);
        Ok::<_, multivec_core::Error>(found.distance <= MAX_DIFFERENCE)
    };
    runs_half && compare().unwrap_or(false)
}
