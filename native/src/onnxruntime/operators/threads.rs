//! Threads that kernels run on.

use std::sync::Arc;

use multivec_kernels::{Parallel, ThreadPool};
use ort::operator::ComputeContext;

/// Whose threads the kernels of a session run on.
#[derive(Clone, Debug)]
pub(super) enum Threads {
    /// ONNX Runtime's threads of the session, that many; its own matrix
    /// products run on them as well.
    Session(usize),
    /// Our own pool, whose threads yield their cores while they wait. ONNX
    /// Runtime's spin.
    Own(Arc<ThreadPool>),
}

impl Threads {
    /// The threads for one run of an operator.
    pub(super) fn within<'a>(&'a self, context: &'a ComputeContext) -> RunThreads<'a> {
        RunThreads {
            threads: self,
            context,
        }
    }
}

/// Threads during one run of an operator.
pub(super) struct RunThreads<'a> {
    threads: &'a Threads,
    context: &'a ComputeContext,
}

// SAFETY: `context` may be used only on the thread on which ONNX Runtime runs
// the kernel. `run` is the only method that uses it, and kernels call `run`
// from that thread alone: the tasks that go to other threads do not get hold of
// a `RunThreads`.
unsafe impl Sync for RunThreads<'_> {}

impl Parallel for RunThreads<'_> {
    fn threads(&self) -> usize {
        match self.threads {
            Threads::Session(count) => *count,
            Threads::Own(pool) => pool.threads(),
        }
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        match self.threads {
            Threads::Own(pool) => pool.run(count, task),
            Threads::Session(threads) => {
                let is_shared = *threads > 1 && count > 1;
                // If ONNX Runtime refuses, the tasks run on this thread.
                if !is_shared || self.context.par_for(count, 0, Shared(task).call()).is_err() {
                    (0..count).for_each(task);
                }
            }
        }
    }
}

/// A task to be called from other threads.
struct Shared<'a>(&'a (dyn Fn(usize) + Sync));

impl Shared<'_> {
    fn call(&self) -> impl Fn(usize) + Send + Sync {
        let task = self.0;
        move |at| task(at)
    }
}
