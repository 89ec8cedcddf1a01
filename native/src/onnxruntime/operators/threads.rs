//! Threads that kernels share their tasks with.

use std::sync::Arc;

use multivec_kernels::{Parallel, ThreadPool};
use ort::operator::ComputeContext;

/// Whose threads the kernels of a session run on.
#[derive(Clone, Debug)]
pub(super) enum Threads {
    /// The session's own, that many: products that ONNX Runtime computes are
    /// on them as well.
    Session(usize),
    /// Ours: one that waits for others lets them have its core, which ONNX
    /// Runtime's do not.
    ThreadPool(Arc<ThreadPool>),
}

impl Threads {
    /// For one run of an operator.
    pub(super) fn lend<'a>(&'a self, context: &'a ComputeContext) -> Lent<'a> {
        Lent {
            threads: self,
            context,
        }
    }
}

/// The threads of the session that runs an operator.
pub(super) struct Lent<'a> {
    threads: &'a Threads,
    context: &'a ComputeContext,
}

// SAFETY: ONNX Runtime calls a kernel from one thread, which is the one that
// starts its tasks; the tasks themselves never see the context.
unsafe impl Sync for Lent<'_> {}

impl Parallel for Lent<'_> {
    fn threads(&self) -> usize {
        match self.threads {
            Threads::Session(count) => *count,
            Threads::ThreadPool(team) => team.threads(),
        }
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        match self.threads {
            Threads::ThreadPool(team) => team.run(count, task),
            Threads::Session(threads) => {
                let is_shared = *threads > 1 && count > 1;
                // A pool that takes no work leaves all of it to this thread.
                if !is_shared || self.context.par_for(count, 0, Shared(task).call()).is_err() {
                    (0..count).for_each(task);
                }
            }
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
