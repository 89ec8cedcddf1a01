//! Models in ONNX Runtime.

use multivec_core::{ModelKind, Result};

use super::source::Source;
use crate::model::ModelFiles;
use crate::onnxruntime::{self, OnnxRuntime, OrtBackend, SessionSettings};
use crate::optimize::{GraphLoader, OrtGraphs};
use crate::options::{LoadOptions, Provider};

/// A model in ONNX Runtime, not an encoder yet.
pub(super) struct Loaded {
    pub(super) files: ModelFiles,
    pub(super) backend: OrtBackend,
}

/// Loads a model on `provider`, whichever the options name.
pub(super) fn load(
    source: &Source,
    options: &LoadOptions,
    provider: Provider,
    wanted: Option<ModelKind>,
) -> Result<Loaded> {
    let options = &LoadOptions {
        provider,
        ..options.clone()
    };
    let parallelism = options.parallelism()?;
    let files = source.read(options, wanted)?;
    let runtime = OnnxRuntime::load(options.library.as_deref())?;
    onnxruntime::check_listed(&runtime, &options.provider)?;
    let graphs = GraphLoader {
        runner: OrtGraphs {
            runtime: &runtime,
            model: &files.model,
            precision: files.precision,
            settings: SessionSettings {
                provider: options.provider.clone(),
                parallelism,
                arena: options.arena,
            },
        },
        parts: &files.parts,
        precision: files.precision,
        normalization: files.normalization,
        content: files.weights.to_hex(),
    };
    let backend = graphs.load_as(options)?;
    Ok(Loaded { files, backend })
}
