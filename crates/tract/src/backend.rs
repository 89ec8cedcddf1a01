//! tract behind the core's `Backend` trait.

use std::fmt;

use multivec_core::batch::TokenBatch;
use multivec_core::encoder::Normalization;
use multivec_core::{
    Backend, BackendInfo, Error, FormSpeed, Precision, Result, RunMode, Scheduling, TokenStates,
};
use multivec_graph::{self as graph, Graph};
use tract_core::prelude::*;

use super::graph::TractGraph;
use super::load::{Input, Loaded};
use super::message::message;
use super::threads::Threads;
use super::{ENGINE, tensor};

/// A model loaded in tract.
///
/// One plan serves batches of every shape: weights are held once, and a batch
/// is only as long as its longest text.
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

    /// Loads a complete ONNX model from its bytes and fuses it, see
    /// [`graph::fuse`], without checking the fused graph against the original.
    /// `file` names the model in messages, `precision` is that of its weights.
    /// With [`Normalization::Off`], the graph's final normalization is removed.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for bytes that are not an ONNX model that tract
    /// can run, and for weights in files beside the model;
    /// [`Error::ModelMismatch`] if inputs or output are not those of an
    /// encoder.
    pub fn load(
        file: &str,
        bytes: impl Into<graph::Bytes>,
        precision: Precision,
        normalization: Normalization,
    ) -> Result<Self> {
        let graph = Graph::parse(file, bytes.into())?;
        let external = tensor::no_files(file);
        let graph = TractGraph::new(file, graph, precision, &external);
        Self::open(graph.with_normalization(normalization).fused())
    }

    /// Loads a graph as it is, original or fused.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and those of the function that reads
    /// weights.
    pub fn open(graph: TractGraph<'_>) -> Result<Self> {
        let (file, precision) = (graph.file.to_owned(), graph.precision);
        let threads = graph.threads.clone();
        let Loaded {
            form,
            fallbacks,
            inputs,
            plan,
            dim,
            vocabulary,
        } = graph.load()?;
        let mut info = BackendInfo::new(ENGINE, precision, file)
            .with_engine_version(Self::VERSION)
            .with_provider(PROVIDER)
            .with_graph(form)
            .with_fallback_operators(fallbacks);
        info.uses_token_type_ids = inputs.contains(&Input::Types);
        info.dim = Some(dim);
        Ok(Self {
            info,
            inputs,
            plan,
            vocabulary,
            concurrency: 1,
            threads,
        })
    }

    /// Runs up to this many batches at the same time, each on one thread; 0
    /// counts as 1, the default.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// States how fast the two forms of the graph are.
    #[must_use]
    pub fn with_speed(mut self, speed: FormSpeed) -> Self {
        self.info.speed = speed;
        self
    }

    fn try_run(&self, batch: &TokenBatch) -> TractResult<TokenStates> {
        // tract panics on ids outside of the embedding table.
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
                    Input::Types => match &batch.token_type_ids {
                        Some(types) => Tensor::from_shape(&shape, types)?,
                        None => Tensor::zero::<i64>(&shape)?,
                    },
                };
                Ok(tensor.into())
            })
            .collect::<TractResult<TVec<TValue>>>()?;
        let outputs = self.plan.run(inputs)?;
        let states = outputs[0].to_plain_array_view::<f32>()?;
        let dim = states.shape().last().copied().unwrap_or(0);
        Ok(TokenStates::new(states.iter().copied().collect(), dim))
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

    // The threads that were handed in divide themselves among batches.
    fn run(&self, batch: &TokenBatch, _: RunMode) -> Result<TokenStates> {
        self.try_run(batch)
            .map_err(|error| Error::inference(ENGINE, [batch.rows, batch.length], message(&error)))
    }
}

impl fmt::Debug for TractBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TractBackend")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// The instruction set that the kernels use.
const PROVIDER: &str = if cfg!(not(target_arch = "wasm32")) {
    "cpu"
} else if multivec_kernels::RELAXED_SIMD {
    "wasm-relaxed-simd"
} else if cfg!(target_feature = "simd128") {
    "wasm-simd128"
} else {
    "wasm"
};

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    /// Only the repository has the manifest, a published package does not.
    #[test]
    fn the_version_is_the_pinned_one() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let Ok(manifest) = std::fs::read_to_string(manifest) else {
            return;
        };
        let pin = manifest
            .lines()
            .find_map(|line| line.strip_prefix("tract-core = { version = \"="))
            .and_then(|line| line.split('"').next())
            .expect("the manifest pins tract-core");
        assert_eq!(super::TractBackend::VERSION, pin);
    }
}
