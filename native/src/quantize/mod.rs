//! Makes INT8 models from FP32 models.
//!
//! Every layer is quantized, see [`multivec_graph::quantize`]. Columns of
//! activations are scaled to similar ranges where a calibration run of the FP32
//! model shows that this helps. Then layers are turned back to 32-bit floats
//! until the model is as close to the FP32 model as its target asks. Which ones
//! is measured on the built-in sample of [`multivec_core::fidelity`].
//!
//! Measurements are those of this machine: on CPUs without the instructions
//! that the kernels need, activations have one scale a batch, and more layers
//! stay in floats.
//!
//! Weights are in temporary files meanwhile, so that memory never holds the
//! model twice.

mod calibrate;
mod error;
mod fidelity;
mod options;
mod output;
mod report;
mod search;
mod trials;
mod workspace;

use std::fs;
use std::path::Path;

use multivec_core::fidelity::Sample;
use multivec_core::{Precision, Result, WeightsHasher};
use multivec_graph::quantize;

use crate::model::{Halves, ModelDirectory, assemble_to_write};
use crate::onnxruntime::OnnxRuntime;
use calibrate::calibrate;
use error::failed;
pub use fidelity::{Fidelity, FidelityTarget};
pub use options::{Existing, QuantizeOptions, QuantizeStep};
use output::Destination;
pub use report::{LayerReport, QuantizeReport};
use trials::Trials;
use workspace::Workspace;

/// Quantizes the FP32 model of a directory and writes `model_int8.onnx` beside
/// it, or to the directory `output`, which is created if it does not exist and
/// gets a copy of configuration and tokenizer. Files are written atomically,
/// the model last.
///
/// # Errors
/// All of [`Error`](crate::Error): `MissingFile` without an FP32 model,
/// `ModelMismatch` for one that is quantized already or has nothing to
/// quantize, `InvalidModel` for one that is corrupt, `InvalidOption` for
/// options out of range, for an output that is the model's own directory or
/// has an INT8 model already, and for a target that cannot be met with any
/// layer quantized, `Io` for files that cannot be read or written, and those
/// of running the model.
pub fn quantize_model(
    directory: &ModelDirectory,
    output: Option<&Path>,
    options: &QuantizeOptions,
    progress: &mut dyn FnMut(QuantizeStep),
) -> Result<QuantizeReport> {
    options.check()?;
    let chosen = directory.choose(Some(Precision::Fp32))?;
    let is_quantized_at_load = chosen.is_quantized_at_load(None);
    let path = directory.root().join(chosen.path());
    let destination = Destination::new(directory, &path, output, options.existing)?;
    let runtime = OnnxRuntime::load(options.library.as_deref())?;
    let parts = directory.parts()?;

    let model = assemble_to_write(directory, chosen, Halves::Widened)?.model;
    let layers = quantize::layers(&model.graph, model.file())?;
    destination.check_weights_of(&model)?;
    let bytes_before = model.size()?;
    destination.make()?;
    let mut workspace = Workspace::store(destination.folder(), model)?;
    let smoothable = quantize::smoothable(workspace.graph(), &layers);
    let trials = Trials {
        runtime: &runtime,
        parts: &parts,
        sample: Sample::built_in(),
    };
    let reference = calibrate(&trials, &workspace, &smoothable)?;
    let calibrated = smoothable.into_iter().zip(reference.stats);
    workspace.quantize(layers, calibrated, options.range, progress)?;
    let found = search::search(
        workspace.layers().len(),
        options,
        &mut |kept| trials.measure(&workspace.without(kept), &reference.encoded),
        progress,
    )?;
    let at_load = if is_quantized_at_load {
        let mut model = assemble_to_write(directory, chosen, Halves::Widened)?.model;
        model.quantize(&mut WeightsHasher::new(), Some(Precision::Int8))?;
        Some(trials.measure(&model, &reference.encoded)?)
    } else {
        None
    };
    destination.copy_rest(directory)?;
    let (file, data) = destination.write(&workspace, &found.kept, options.external_above)?;
    let bytes_after = [Some(&file), data.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| length(path))
        .sum::<Result<u64>>()?;
    Ok(QuantizeReport {
        layers: report::layers(&workspace, &found),
        fidelity: found.fidelity,
        all_quantized: found.all_quantized,
        at_load,
        measurements: found.measurements,
        file,
        data,
        bytes_before,
        bytes_after,
    })
}

fn length(path: &Path) -> Result<u64> {
    let data = fs::metadata(path).map_err(|error| failed(path, "reading", error))?;
    Ok(data.len())
}
