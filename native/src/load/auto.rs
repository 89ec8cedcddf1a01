//! The choice of a provider.

use multivec_core::equivalence::Probes;
use multivec_core::{Backend, Precision, Result};

use super::builder::EncoderBuilder;
use crate::model::ModelFiles;
use crate::onnxruntime::{self, OnnxRuntime, OrtBackend};
use crate::options::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, OpenVinoOptions, Provider,
};

/// The largest difference of a component to the CPU's vectors, for rows of
/// length 1: devices that compute in 16 bits are about 1e-3 away, wrong ones
/// 0.1 and more.
const FARTHEST: f32 = 5e-3;

/// What may be chosen, best first. TensorRT is not, since it takes minutes to
/// load; XNNPACK runs on the same CPU.
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

/// The first candidate that really works; the CPU otherwise.
pub(super) fn choose(builder: &EncoderBuilder) -> Result<(ModelFiles, OrtBackend)> {
    let runtime = OnnxRuntime::load(builder.library())?;
    for candidate in candidates() {
        if onnxruntime::check_listed(&runtime, &candidate).is_err() {
            continue;
        }
        // Why it does not work is told where it is asked for by name.
        if let Ok(found) = builder.load_with(candidate)
            && works(builder, &found)
        {
            return Ok(found);
        }
    }
    builder.load_with(Provider::Cpu)
}

/// Whether a backend runs most of the model itself, and gives the CPU's
/// vectors.
fn works(builder: &EncoderBuilder, (files, backend): &(ModelFiles, OrtBackend)) -> bool {
    let placement = backend.placement();
    let runs_most = placement.is_some_and(|found| found.placed * 2 >= found.all);
    let precise = builder.clone().with_precision(files.precision);
    let compare = || {
        let (_, cpu) = precise.load_with(Provider::Cpu)?;
        let tokenizer = files.parts.tokenizer();
        let probes = Probes::new(tokenizer, files.parts.config().document_length);
        let run = |backend: &dyn Backend| probes.run(backend);
        let found = probes.compare(&run(&cpu)?, &run(backend)?, Precision::Fp32);
        Ok::<_, multivec_core::Error>(found.distance <= FARTHEST)
    };
    runs_most && compare().unwrap_or(false)
}
