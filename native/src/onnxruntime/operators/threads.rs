//! Threads that kernels share their tasks with.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use multivec_core::kernels::{Parallel, Pool};
use ort::operator::ComputeContext;

/// A few hundred microseconds, more than lie between two kernels of a batch.
const PATIENCE: u32 = 256;

/// Whose threads the kernels of a session run on.
#[derive(Clone, Debug)]
pub(super) enum Threads {
    /// The session's own, that many: products that ONNX Runtime computes are
    /// on them as well.
    Session(usize),
    /// Ours: one that waits for others lets them have its core, which ONNX
    /// Runtime's do not.
    Team(Arc<Team>),
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

/// A pool, and the threads that help in it until it is dropped.
#[derive(Debug)]
pub(super) struct Team {
    pool: Arc<Pool>,
    helpers: Vec<JoinHandle<()>>,
}

impl Team {
    /// As many threads, the caller's among them.
    ///
    /// # Errors
    /// Where the system starts no more threads.
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        let mut team = Self {
            pool: Arc::new(Pool::new(PATIENCE)),
            helpers: Vec::new(),
        };
        for _ in 1..threads {
            let pool = Arc::clone(&team.pool);
            let thread = thread::Builder::new().name("multivec".to_owned());
            team.helpers.push(thread.spawn(move || pool.help())?);
            team.pool.enlist();
        }
        Ok(team)
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.pool.close();
        for helper in self.helpers.drain(..) {
            // Whoever waited for one that failed was told then.
            drop(helper.join());
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
            Threads::Team(team) => team.pool.threads(),
        }
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let is_done = match self.threads {
            Threads::Team(team) => {
                team.pool.run(count, task);
                true
            }
            Threads::Session(threads) => {
                let is_shared = *threads > 1 && count > 1;
                is_shared && self.context.par_for(count, 0, Shared(task).call()).is_ok()
            }
        };
        // A pool that takes no work leaves all of it to this thread.
        if !is_done {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_has_as_many_threads_and_lets_them_go() {
        for threads in 1..4 {
            let team = Team::new(threads).expect("there are threads");
            assert_eq!(team.pool.threads(), threads);
            let pool = Arc::downgrade(&team.pool);
            drop(team);
            assert!(pool.upgrade().is_none(), "a helper still has it");
        }
    }
}
