//! INT8 models made of FP32 models.
//!
//! Every layer is quantized, see [`multivec_graph::quantize`], with columns of
//! activations brought to like sizes where a first run of the FP32 model tells
//! that it pays; then the model is run, and layers go back to 32-bit floats where that is needed to come as
//! close to the FP32 model as was asked for. Which ones is measured, on the
//! built-in sample of [`multivec_core::fidelity`].
//!
//! What is measured is what this machine runs: without the kernels'
//! instructions, activations have one scale for a whole batch, and more layers
//! stay in floats.
//!
//! Weights wait in files of their own meanwhile, so that memory never holds
//! the model twice.

mod calibrate;
mod output;
mod report;
mod search;
mod trials;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};

use multivec_core::fidelity::Sample;
use multivec_core::{Error, ModelParts, Precision, Result};
use multivec_graph::quantize::{self, WeightRange};

use crate::OnnxRuntime;
use crate::model::{ModelDirectory, ModelGraph, read};
use output::Destination;
pub use output::Existing;
pub use report::{Fidelity, LayerReport, QuantizeReport};
pub use search::FidelityTarget;
use trials::Trials;
use workspace::Workspace;

/// The most that a file in the format of ONNX may have, 2 GiB, with room for
/// what is around the weights.
const EXTERNAL_ABOVE: u64 = (1 << 31) - (1 << 20);

/// How a model is quantized.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizeOptions {
    /// How close to the FP32 model it has to come.
    pub target: FidelityTarget,
    /// The integers that weights may take.
    pub range: WeightRange,
    /// At most so many times the model is run on the sample; with fewer, more
    /// layers are judged together. At least 8.
    pub measurements: usize,
    /// A model of more bytes has its weights in a file of their own, as the
    /// format demands above 2 GiB.
    pub external_above: u64,
    /// What happens to a model that is there already.
    pub existing: Existing,
    /// The ONNX Runtime library; looked for by default.
    pub library: Option<PathBuf>,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        Self {
            target: FidelityTarget::default(),
            range: WeightRange::default(),
            measurements: 128,
            external_above: EXTERNAL_ABOVE,
            existing: Existing::default(),
            library: None,
        }
    }
}

/// Where [`quantize_model`] has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuantizeStep {
    /// So many layers have been quantized.
    Weights {
        /// Layers done.
        done: usize,
        /// All layers.
        of: usize,
    },
    /// The model was run so many times.
    Measured {
        /// Runs so far.
        done: usize,
        /// The most that there will be.
        of: usize,
    },
}

/// Quantizes the FP32 model of a directory and writes `model_int8.onnx` beside
/// it, or into the directory `output`, which is made if it is not there and
/// gets configuration and tokenizer as well. Files appear under their names
/// when they are whole, and the model comes last.
///
/// # Errors
/// [`Error::MissingFile`] without an FP32 model, [`Error::ModelMismatch`] for
/// one that is quantized already or has nothing to quantize,
/// [`Error::InvalidModel`] for one that is corrupt, [`Error::InvalidOption`]
/// for options out of range, for an output that is the model's own directory
/// or has such a model already, and for a target that no layer can meet,
/// [`Error::Io`] for files that cannot be read or written, and those of
/// running the model.
pub fn quantize_model(
    directory: &ModelDirectory,
    output: Option<&Path>,
    options: &QuantizeOptions,
    progress: &mut dyn FnMut(QuantizeStep),
) -> Result<QuantizeReport> {
    options.check()?;
    let (path, _) = directory.choose(Some(Precision::Fp32))?;
    let destination = Destination::new(directory, path, output, options.existing)?;
    let runtime = OnnxRuntime::load(options.library.as_deref())?;
    let named = |path: &Path| Ok::<_, Error>((path.display().to_string(), read(path)?));
    let (config, tokenizer) = (named(directory.config())?, named(directory.tokenizer())?);
    let parts = ModelParts::from_json((&config.0, &config.1), (&tokenizer.0, &tokenizer.1))?;

    let model = ModelGraph::open(path)?;
    let layers = quantize::layers(&model.graph, model.file())?;
    destination.check_weights_of(&model)?;
    let bytes_before = size(path, &model)?;
    destination.make()?;
    let mut workspace = Workspace::store(destination.folder(), model)?;
    let smoothable = quantize::smoothable(workspace.graph(), &layers);
    let sample = Sample::built_in();
    let reference = (&workspace, smoothable.as_slice());
    let (expected, observed) = calibrate::observe((&runtime, &parts), reference, &sample)?;
    let smoothable = smoothable.into_iter().zip(observed);
    workspace.quantize(layers, smoothable, options.range, progress)?;
    let mut trials = Trials {
        runtime: &runtime,
        parts: &parts,
        workspace: &workspace,
        sample,
        expected,
    };
    let found = search::search(
        workspace.layers().len(),
        options,
        &mut |kept| trials.measure(kept),
        progress,
    )?;
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
        measurements: found.measurements,
        file,
        data,
        bytes_before,
        bytes_after,
    })
}

impl QuantizeOptions {
    fn check(&self) -> Result<()> {
        self.target.check()?;
        match self.measurements {
            0..8 => Err(Error::option(
                "measurements",
                "8 or more",
                self.measurements,
            )),
            _ => Ok(()),
        }
    }
}

/// Bytes of a model with its weights, wherever they are.
fn size(path: &Path, model: &ModelGraph) -> Result<u64> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = model
        .files_beside()
        .map(|name| length(&folder.join(name)))
        .sum::<Result<u64>>()?;
    Ok(length(path)? + beside)
}

fn length(path: &Path) -> Result<u64> {
    let data = fs::metadata(path).map_err(|error| failed(path, "reading", error))?;
    Ok(data.len())
}

fn failed(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        action,
        source,
    }
}
