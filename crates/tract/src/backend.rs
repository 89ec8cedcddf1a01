//! tract behind the core's `Backend` trait.

use std::fmt;

use multivec_core::batch::TokenBatch;
use multivec_core::encoder::Normalization;
use multivec_core::{
    Backend, BackendInfo, Error, Precision, Result, RunMode, Scheduling, TokenStates,
};
use multivec_graph::{self as graph, Graph};
use tract_core::prelude::*;

use super::graph::TractGraph;
use super::load::{self, Input, Loaded};
use super::threads::Threads;

/// The engine's name in messages and fingerprints.
pub(super) const ENGINE: &str = "tract";

/// A model in tract, the inference engine in Rust.
///
/// One plan serves every shape of batch, so that the weights are held once
/// and texts are padded no further than their batch needs.
pub struct TractBackend {
    info: BackendInfo,
    inputs: Vec<Input>,
    plan: Arc<TypedRunnableModel>,
    vocabulary: Option<usize>,
    concurrency: usize,
    threads: Threads,
}

impl TractBackend {
    /// The engine's version, as pinned in the workspace.
    pub const VERSION: &str = "0.23.9";

    /// Loads an ONNX model from its bytes; `file` names it in messages.
    /// `precision` is that of its weights. With [`Normalization::Off`] the
    /// graph's final normalization is removed. Attention and the like run
    /// fused where they are recognised, see [`graph::fuse`]; whether they give
    /// the same vectors as before is not looked at here.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for bytes that are no ONNX model or that tract
    /// cannot run, and for weights that are not among them,
    /// [`Error::ModelMismatch`] if inputs or output are not those of an
    /// encoder.
    pub fn load(
        file: &str,
        bytes: impl Into<graph::Bytes>,
        precision: Precision,
        normalization: Normalization,
    ) -> Result<Self> {
        let graph = Graph::parse(file, bytes.into())?;
        let external = load::no_files(file);
        let graph = TractGraph::new(file, graph, precision, &external);
        Self::open(graph.with_normalization(normalization).fused())
    }

    /// Loads a graph in whichever form it is.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and those of reading weights.
    pub fn open(graph: TractGraph<'_>) -> Result<Self> {
        let (file, precision) = (graph.file.to_owned(), graph.precision);
        let threads = graph.threads.clone();
        let Loaded {
            form,
            inputs,
            plan,
            dim,
            vocabulary,
        } = graph.load()?;
        let info = BackendInfo {
            engine: ENGINE,
            engine_version: Self::VERSION.to_owned(),
            provider: PROVIDER.to_owned(),
            precision,
            uses_token_type_ids: inputs.contains(&Input::Types),
            dim: Some(dim),
            model_file: file,
            graph: form,
        };
        Ok(Self {
            info,
            inputs,
            plan,
            vocabulary,
            concurrency: 1,
            threads,
        })
    }

    /// Lets this many batches run at the same time, each on one thread; 0
    /// counts as 1. One by default.
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    fn try_run(&self, batch: &TokenBatch) -> TractResult<TokenStates> {
        // tract looks rows up without a check, and panics.
        let rows = self.vocabulary.unwrap_or(usize::MAX);
        let is_known = |&id: &i64| usize::try_from(id).is_ok_and(|id| id < rows);
        if let Some(id) = batch.input_ids.iter().find(|&id| !is_known(id)) {
            return Err(TractError::msg(format!(
                "expected token ids below {rows}, found {id}"
            )));
        }
        let shape = [batch.rows, batch.length];
        let inputs = self
            .inputs
            .iter()
            .map(|input| {
                let tensor = match input {
                    Input::Ids => Tensor::from_shape(&shape, &batch.input_ids)?,
                    Input::Mask => Tensor::from_shape(&shape, &batch.attention_mask)?,
                    Input::Types => Tensor::zero::<i64>(&shape)?,
                };
                Ok(tensor.into())
            })
            .collect::<TractResult<TVec<TValue>>>()?;
        let outputs = self.plan.run(inputs)?;
        let states = outputs[0].to_plain_array_view::<f32>()?;
        Ok(TokenStates {
            dim: states.shape().last().copied().unwrap_or(0),
            data: states.iter().copied().collect(),
        })
    }
}

impl Backend for TractBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
            .with_concurrency(self.concurrency)
            .with_threads(self.threads.shared())
    }

    // Kernels take the threads that they are handed, whatever else runs.
    fn run(&self, batch: &TokenBatch, _: RunMode) -> Result<TokenStates> {
        self.try_run(batch).map_err(|error| Error::Inference {
            engine: ENGINE,
            rows: batch.rows,
            length: batch.length,
            source: format!("{error:#}").into(),
        })
    }
}

impl fmt::Debug for TractBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TractBackend")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// The instructions that this build of the crate uses.
const PROVIDER: &str = if cfg!(not(target_arch = "wasm32")) {
    "cpu"
} else if cfg!(target_feature = "relaxed-simd") {
    "wasm-relaxed-simd"
} else if cfg!(target_feature = "simd128") {
    "wasm-simd128"
} else {
    "wasm"
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_that_is_pinned() {
        let manifest = include_str!("../../../Cargo.toml");
        let pin = format!(
            "tract-core = {{ version = \"={}\"",
            super::TractBackend::VERSION
        );
        assert!(manifest.contains(&pin));
    }
}
