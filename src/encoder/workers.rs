//! The same work on many things, on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::Backend;
use crate::error::Result;
use crate::kernels::Parallel;

/// Threads that are started for one piece of work.
struct Started(usize);

impl Parallel for Started {
    fn threads(&self) -> usize {
        self.0
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let one_by_one = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    break;
                }
                task(at);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(one_by_one);
            }
            one_by_one();
        });
    }
}

/// As [`map_on`], on the threads that a backend lends, or on up to `workers`
/// that are started; with one worker on the calling thread alone.
pub(super) fn map<T: Send>(
    count: usize,
    workers: usize,
    backend: &dyn Backend,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let workers = workers.min(count);
    // Platforms without threads never ask for a second one.
    if workers <= 1 {
        return (0..count).map(work).collect();
    }
    match backend.threads() {
        Some(threads) => map_on(threads, count, work),
        None => map_on(&Started(workers), count, work),
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
    use super::*;
    use crate::error::Error;
    use crate::kernels::Serial;

    #[test]
    fn results_are_in_order_and_each_number_comes_once() {
        for workers in 1..5 {
            for count in [0, 1, 2, 7, 100] {
                let calls = AtomicUsize::new(0);
                let found = map_on(&Started(workers), count, |at| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    Ok(at * 2)
                });
                let expected: Vec<usize> = (0..count).map(|at| at * 2).collect();
                assert_eq!(found.expect("nothing fails"), expected);
                assert_eq!(calls.into_inner(), count);
            }
        }
    }

    #[test]
    fn the_first_failure_is_returned_and_ends_the_rest() {
        let threads: [&dyn Parallel; 3] = [&Serial, &Started(2), &Started(8)];
        for threads in threads {
            let calls = AtomicUsize::new(0);
            let found = map_on(threads, 10_000, |at| {
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
