//! The same work on many things, on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use multivec_kernels::{Parallel, ThreadPool};

/// The threads of one call: started when they are first needed, and there
/// until it is over.
#[derive(Default)]
pub(super) struct Workers(ThreadPool);

impl Workers {
    /// As [`map_on`], on all threads that a backend lends, or on up to `most` of
    /// this call; with one on the calling thread alone.
    pub(super) fn map<T: Send>(
        &mut self,
        lent: Option<&dyn Parallel>,
        (count, most): (usize, usize),
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let most = most.min(count);
        // Platforms without threads never ask for a second one.
        if most <= 1 {
            return (0..count).map(work).collect();
        }
        if let Some(threads) = lent {
            return map_on(threads, count, work);
        }
        // Where the system starts no more, those do that there are.
        drop(self.0.grow_to(most));
        let team = &self.0;
        map_on(&UpTo { most, team }, count, work)
    }
}

/// So many threads of a team.
struct UpTo<'a> {
    most: usize,
    team: &'a ThreadPool,
}

impl Parallel for UpTo<'_> {
    fn threads(&self) -> usize {
        self.most
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        self.team.run(self.most, &|_| {
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

/// Calls `work` with `0..count`, each number once; results in order. The first
/// failure ends the others, and the one with the least number is returned.
fn map_on<T: Send>(
    threads: &dyn Parallel,
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..count).map(|_| None).collect());
    let failed = AtomicUsize::new(usize::MAX);
    threads.run(count, &|at| {
        // Numbers below a failure are done all the same: they may fail too.
        if at > failed.load(Ordering::Relaxed) {
            return;
        }
        let result = work(at);
        if result.is_err() {
            failed.fetch_min(at, Ordering::Relaxed);
        }
        let mut results = results.lock().unwrap_or_else(|lock| lock.into_inner());
        results[at] = Some(result);
    });
    let results = results.into_inner();
    let results = results.unwrap_or_else(|lock| lock.into_inner());
    // Without a failure none is missing; with one, those after it may be.
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;
    use crate::error::Error;
    use multivec_kernels::Serial;

    #[test]
    fn results_are_in_order_and_each_number_comes_once() {
        for lent in [None, Some(&Serial as &dyn Parallel)] {
            for most in 1..5 {
                let mut workers = Workers::default();
                for count in [0, 1, 2, 7, 100] {
                    let calls = AtomicUsize::new(0);
                    let found = workers.map(lent, (count, most), |at| {
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
    fn threads_are_started_once_and_no_more_of_them_work_than_may() {
        let mut workers = Workers::default();
        let mut all = HashSet::new();
        for (most, started) in [(1, 1), (2, 2), (4, 4), (3, 4), (2, 4)] {
            let (busy, beyond) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let found = workers.map(None, (200, most), |_| {
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
    fn the_first_failure_is_returned_and_ends_the_rest() {
        for (lent, most) in [(Some(&Serial as &dyn Parallel), 2), (None, 2), (None, 8)] {
            let calls = AtomicUsize::new(0);
            let found = Workers::default().map(lent, (10_000, most), |at| {
                calls.fetch_add(1, Ordering::Relaxed);
                match at {
                    at if at >= 5 => Err(Error::option("at", "less than 5", at)),
                    _ => Ok(at),
                }
            });
            let error = found.expect_err("5 and more fail").to_string();
            assert!(error.ends_with("found 5"), "{error}");
            assert!(calls.into_inner() < 100);
        }
    }
}
