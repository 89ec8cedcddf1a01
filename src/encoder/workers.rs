//! The same work on many items, on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use multivec_kernels::{Parallel, ThreadPool};

use crate::error::Result;

/// The threads of one call: started when first needed, joined at its end.
#[derive(Default)]
pub(super) struct Workers(ThreadPool);

/// How many items there are, and what may work on them.
#[derive(Clone, Copy)]
pub(super) struct Share<'a> {
    /// Items.
    pub(super) count: usize,
    /// Most items in progress at the same time, where no threads are lent.
    pub(super) most: usize,
    /// All threads of a backend that lends them.
    pub(super) lent: Option<&'a dyn Parallel>,
}

/// Calls a task with `0..count`, each number once, and returns when all are
/// done.
type Run<'a> = &'a dyn Fn(usize, &(dyn Fn(usize) + Sync));

impl Workers {
    /// Calls `work` with each of `0..count` once; results in order. The first
    /// failure ends the call; of several, the one of the least number is
    /// returned.
    pub(super) fn map<T: Send>(
        &mut self,
        share: Share<'_>,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let Share { count, lent, .. } = share;
        let most = share.most.min(count);
        // Platforms without threads never ask for a second one.
        if most <= 1 {
            return (0..count).map(work).collect();
        }
        if let Some(threads) = lent {
            return map_on(&|count, task| threads.run(count, task), count, work);
        }
        // Where the system refuses a thread, those that started do the work.
        drop(self.0.grow_to(most));
        map_on(&|count, task| self.run(most, count, task), count, work)
    }

    /// Runs a task on `most` threads, which may be fewer than were started.
    fn run(&self, most: usize, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        self.0.run(most, &|_| {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    break;
                }
                task(at);
            }
        });
    }
}

fn map_on<T: Send>(
    run: Run<'_>,
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..count).map(|_| None).collect());
    let failed = AtomicUsize::new(usize::MAX);
    run(count, &|at| {
        // Smaller numbers still run: they may fail too.
        if at > failed.load(Ordering::Relaxed) {
            return;
        }
        let result = work(at);
        if result.is_err() {
            failed.fetch_min(at, Ordering::Relaxed);
        }
        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
        results[at] = Some(result);
    });
    let results = results.into_inner();
    let results = results.unwrap_or_else(PoisonError::into_inner);
    // Only results after a failure can be missing.
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use multivec_kernels::Serial;

    use super::*;
    use crate::error::Error;

    fn share(lent: Option<&dyn Parallel>, count: usize, most: usize) -> Share<'_> {
        Share { count, most, lent }
    }

    #[test]
    fn results_are_in_order_and_each_number_is_used_once() {
        for lent in [None, Some(&Serial as &dyn Parallel)] {
            for most in 1..5 {
                let mut workers = Workers::default();
                for count in [0, 1, 2, 7, 100] {
                    let calls = AtomicUsize::new(0);
                    let found = workers.map(share(lent, count, most), |at| {
                        calls.fetch_add(1, Ordering::Relaxed);
                        Ok(at * 2)
                    });
                    let expected: Vec<usize> = (0..count).map(|at| at * 2).collect();
                    assert_eq!(found.expect("nothing fails"), expected);
                    assert_eq!(calls.into_inner(), count);
                }
            }
        }
    }

    #[test]
    fn threads_are_started_once_and_never_exceed_the_limit() {
        let mut workers = Workers::default();
        let mut all = HashSet::new();
        for (most, started) in [(1, 1), (2, 2), (4, 4), (3, 4), (2, 4)] {
            let (busy, beyond) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let found = workers.map(share(None, 200, most), |_| {
                if busy.fetch_add(1, Ordering::SeqCst) >= most {
                    beyond.fetch_add(1, Ordering::SeqCst);
                }
                thread::yield_now();
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(thread::current().id())
            });
            all.extend(found.expect("nothing fails"));
            assert_eq!(beyond.into_inner(), 0, "{most}");
            assert_eq!(workers.0.threads(), started);
        }
        assert!(all.len() <= 4, "{all:?}");
    }

    #[test]
    fn the_first_failure_is_returned_and_ends_the_call() {
        for (lent, most) in [(Some(&Serial as &dyn Parallel), 2), (None, 2), (None, 8)] {
            let calls = AtomicUsize::new(0);
            let found = Workers::default().map(share(lent, 10_000, most), |at| {
                calls.fetch_add(1, Ordering::Relaxed);
                if at < 5 {
                    Ok(at)
                } else {
                    Err(Error::option("at", "less than 5", at))
                }
            });
            let error = found.expect_err("5 and more fail").to_string();
            assert!(error.ends_with("found 5"), "{error}");
            assert!(calls.into_inner() < 100);
        }
    }
}
