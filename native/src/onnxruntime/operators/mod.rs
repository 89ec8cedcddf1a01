//! Our kernels as custom operators of ONNX Runtime.

mod attention;
mod embedding;
mod l2_norm;
mod layer_norm;
mod linear;
mod pooled_linear;
mod rms_norm;
mod short_convolution;
mod threads;

use std::sync::Arc;

use multivec_core::batch::{CACHED_TOKENS, cached_tokens};
use multivec_graph::operators::DOMAIN;
use multivec_kernels::{Embedding, Linear, SharedGranularity, ThreadPool};
use ort::operator::{ComputeContext, OperatorDomain};
use ort::value::{ValueRef, ValueRefMut};

use attention::AttentionOperator;
use embedding::EmbeddingOperator;
use l2_norm::L2NormOperator;
use layer_norm::LayerNormOperator;
use linear::LinearOperator;
use pooled_linear::PooledLinearOperator;
use rms_norm::RmsNormOperator;
use short_convolution::ShortConvolutionOperator;
use threads::Threads;

/// State that the operators of all sessions of a backend share.
#[derive(Clone, Debug)]
pub(crate) struct Kernels {
    /// Layers that were taken out of the graph.
    layers: Arc<[Arc<Linear>]>,
    tables: Arc<[Arc<Embedding>]>,
    granularity: SharedGranularity,
    work: Work,
    threads: Threads,
}

/// How much of a graph's work is in our kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Nothing,
    /// Some matrix products are left to ONNX Runtime.
    Some,
    /// Everything that is worth a second thread.
    All,
}

impl Kernels {
    pub(crate) fn new(layers: Vec<Arc<Linear>>, tables: Vec<Arc<Embedding>>, work: Work) -> Self {
        Self {
            layers: layers.into(),
            tables: tables.into(),
            granularity: SharedGranularity::default(),
            work,
            threads: Threads::Session(1),
        }
    }

    /// For graphs without our operators.
    pub(crate) fn none() -> Self {
        Self::new(Vec::new(), Vec::new(), Work::Nothing)
    }

    /// How many of a session's threads ONNX Runtime itself needs.
    pub(super) fn engine_threads(&self, threads: usize) -> usize {
        match self.work {
            Work::All => 1,
            Work::Some | Work::Nothing => threads,
        }
    }

    /// The number of tokens in a batch with which the layers are fastest.
    pub(super) fn batch_tokens(&self) -> usize {
        let quantized = self.layers.iter().filter(|layer| layer.is_quantized());
        let mut widths: Vec<usize> = quantized.map(|layer| layer.inner()).collect();
        widths.sort_unstable();
        match widths.get(widths.len() / 2) {
            // The median width; wider layers read intermediate values.
            Some(&width) if 2 * widths.len() > self.layers.len() => cached_tokens(width),
            _ => CACHED_TOKENS,
        }
    }

    /// How activations are quantized.
    pub(crate) fn granularity(&self) -> &SharedGranularity {
        &self.granularity
    }

    /// The operators, for a session of `threads` threads.
    pub(super) fn domain(&self, threads: usize) -> ort::Result<Option<OperatorDomain>> {
        let threads = match self.work {
            Work::Nothing => return Ok(None),
            Work::Some => Threads::Session(threads),
            Work::All => {
                let mut pool = ThreadPool::default();
                pool.grow_to(threads).map_err(ort::Error::wrap)?;
                Threads::Own(pool.into())
            }
        };
        let kernels = Self {
            threads,
            ..self.clone()
        };
        let domain = OperatorDomain::new(DOMAIN)?
            .add(LinearOperator(kernels.clone()))?
            .add(PooledLinearOperator(kernels.clone()))?
            .add(AttentionOperator(kernels.clone()))?
            .add(EmbeddingOperator(kernels.clone()))?
            .add(L2NormOperator(kernels.clone()))?
            .add(ShortConvolutionOperator(kernels.clone()))?
            .add(LayerNormOperator(kernels.clone()))?
            .add(RmsNormOperator(kernels))?;
        Ok(Some(domain))
    }
}

fn error(expected: &str, found: impl std::fmt::Debug) -> ort::Error {
    ort::Error::new(format!("expected {expected}, found {found:?}"))
}

/// A required input.
fn required<'a>(context: &'a ComputeContext, at: usize) -> ort::Result<ValueRef<'a>> {
    let missing = || error("an input", format!("none at {at}"));
    context.input(at)?.ok_or_else(missing)
}

/// The operator's output, with memory for a shape.
fn output(context: &ComputeContext, shape: Vec<usize>) -> ort::Result<ValueRefMut<'_>> {
    let missing = || error("an output", "none");
    context.output(0, shape)?.ok_or_else(missing)
}

/// A shape as sizes; dynamic ones are 0.
fn sizes(shape: &[i64]) -> Vec<usize> {
    let size = |&dim: &i64| usize::try_from(dim).unwrap_or(0);
    shape.iter().map(size).collect()
}
