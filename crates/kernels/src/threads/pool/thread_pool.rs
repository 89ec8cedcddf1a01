//! A pool with threads of its own.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Pool;
use crate::threads::Parallel;

/// A few hundred microseconds, more than lie between two kernels of a batch, and
/// than it takes to plan batches: a thread that sleeps is woken late, and then
/// perhaps on a core that is in use.
const PATIENCE: u32 = 256;

/// A pool, and the threads that help in it until it is dropped.
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
    /// Starts threads until there are so many, the calling one among them.
    ///
    /// # Errors
    /// Where the system starts no more; those work that there are.
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
            // Whoever waited for one that failed was told then.
            drop(helper.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_has_as_many_threads_and_lets_them_go() {
        for threads in 1..4 {
            let mut team = ThreadPool::default();
            team.grow_to(threads).expect("there are threads");
            assert_eq!(team.threads(), threads);
            let pool = Arc::downgrade(&team.pool);
            drop(team);
            assert!(pool.upgrade().is_none(), "a helper still has it");
        }
    }
}
