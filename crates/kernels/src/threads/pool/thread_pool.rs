//! A pool with threads of its own.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Pool;
use crate::threads::Parallel;

/// Some hundreds of microseconds: longer than the time between two kernels of a
/// batch, or to plan batches. A sleeping thread is woken late, and perhaps on a
/// core that is in use.
const PATIENCE: u32 = 256;

/// A [`Pool`] with threads of its own, which are joined when it is dropped.
#[derive(Debug)]
pub struct ThreadPool {
    pool: Arc<Pool>,
    helpers: Vec<JoinHandle<()>>,
}

impl Default for ThreadPool {
    /// The calling thread alone.
    fn default() -> Self {
        Self {
            pool: Arc::new(Pool::new(PATIENCE)),
            helpers: Vec::new(),
        }
    }
}

impl ThreadPool {
    /// Starts threads until there are `threads`, including the calling one.
    ///
    /// # Errors
    /// If the system starts no more threads. Those that were started stay.
    pub fn grow_to(&mut self, threads: usize) -> io::Result<()> {
        while self.pool.size() < threads {
            let pool = Arc::clone(&self.pool);
            let thread = thread::Builder::new().name("multivec".to_owned());
            self.helpers.push(thread.spawn(move || pool.help())?);
            self.pool.enlist();
        }
        Ok(())
    }
}

impl Parallel for ThreadPool {
    fn threads(&self) -> usize {
        self.pool.threads()
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        self.pool.run(count, task);
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.pool.close();
        for helper in self.helpers.drain(..) {
            // A panic was already reported by the job that waited for it.
            drop(helper.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_joins_its_threads() {
        for threads in 1..4 {
            let mut owner = ThreadPool::default();
            owner.grow_to(threads).expect("threads are started");
            assert_eq!(owner.threads(), threads);
            let pool = Arc::downgrade(&owner.pool);
            drop(owner);
            assert!(pool.upgrade().is_none(), "a helper is still running");
        }
    }
}
