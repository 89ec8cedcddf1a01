//! The core's kernels as operators of ONNX Runtime, on its threads.

mod attention;
mod embedding;
mod length;
mod linear;
mod normalize;

use std::sync::Arc;

use multivec_core::graph::DOMAIN;
use multivec_core::kernels::{Embedding, Linear, Parallel, SharedGranularity};
use ort::operator::{ComputeContext, OperatorDomain};
use ort::value::{ValueRef, ValueRefMut};

use attention::AttentionOperator;
use embedding::EmbeddingOperator;
use length::LengthOperator;
use linear::LinearOperator;
use normalize::NormalizeOperator;

/// What the operators of a backend share, over all of its sessions.
#[derive(Clone, Debug)]
pub(crate) struct Kernels {
    /// The layers that were taken out of the graph.
    layers: Arc<[Arc<Linear>]>,
    tables: Arc<[Arc<Embedding>]>,
    granularity: SharedGranularity,
    /// Threads of each session; 0 where there are no operators.
    threads: usize,
}

impl Kernels {
    pub(crate) fn new(
        layers: Vec<Arc<Linear>>,
        tables: Vec<Arc<Embedding>>,
        threads: usize,
    ) -> Self {
        Self {
            layers: layers.into(),
            tables: tables.into(),
            granularity: SharedGranularity::default(),
            threads,
        }
    }

    /// The same, for a session of that many threads.
    pub(super) fn with_threads(&self, threads: usize) -> Self {
        Self {
            threads: if self.threads == 0 { 0 } else { threads },
            ..self.clone()
        }
    }

    /// For graphs in which there is none.
    pub(crate) fn none() -> Self {
        Self::new(Vec::new(), Vec::new(), 0)
    }

    /// How activations are quantized.
    pub(crate) fn granularity(&self) -> &SharedGranularity {
        &self.granularity
    }

    /// The operators, to be registered with a session.
    pub(super) fn domain(&self) -> ort::Result<Option<OperatorDomain>> {
        if self.threads == 0 {
            return Ok(None);
        }
        let domain = OperatorDomain::new(DOMAIN)?
            .add(LinearOperator(self.clone()))?
            .add(AttentionOperator(self.clone()))?
            .add(EmbeddingOperator(self.clone()))?
            .add(LengthOperator(self.clone()))?
            .add(NormalizeOperator(self.clone()))?;
        Ok(Some(domain))
    }
}

/// The threads of the session that runs an operator.
struct SessionThreads<'a> {
    context: &'a ComputeContext,
    count: usize,
}

impl<'a> SessionThreads<'a> {
    fn new(context: &'a ComputeContext, count: usize) -> Self {
        Self { context, count }
    }
}

// SAFETY: ONNX Runtime calls a kernel from one thread, which is the one that
// starts its tasks; the tasks themselves never see the context.
unsafe impl Sync for SessionThreads<'_> {}

impl Parallel for SessionThreads<'_> {
    fn threads(&self) -> usize {
        self.count
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let is_shared = self.count > 1 && count > 1;
        // A pool that takes no work leaves all of it to this thread.
        if !is_shared || self.context.par_for(count, 0, Shared(task).call()).is_err() {
            (0..count).for_each(task);
        }
    }
}

/// A task that may be called from other threads.
struct Shared<'a>(&'a (dyn Fn(usize) + Sync));

impl Shared<'_> {
    fn call(&self) -> impl Fn(usize) + Send + Sync {
        let task = self.0;
        move |at| task(at)
    }
}

fn error(expected: &str, found: impl std::fmt::Debug) -> ort::Error {
    ort::Error::new(format!("expected {expected}, found {found:?}"))
}

/// An input that the operator cannot do without.
fn required<'a>(context: &'a ComputeContext, at: usize) -> ort::Result<ValueRef<'a>> {
    let missing = || error("an input", format!("none at {at}"));
    context.input(at)?.ok_or_else(missing)
}

/// The operator's one output, of that shape.
fn output(context: &ComputeContext, shape: Vec<usize>) -> ort::Result<ValueRefMut<'_>> {
    let missing = || error("an output", "none");
    context.output(0, shape)?.ok_or_else(missing)
}

/// Sizes of a shape.
fn sizes(shape: &[i64]) -> Vec<usize> {
    let size = |&dim: &i64| usize::try_from(dim).unwrap_or(0);
    shape.iter().map(size).collect()
}
