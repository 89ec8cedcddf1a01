//! The same work on many things, on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;

/// Calls `work` with `0..count`, each number once, on up to `workers` threads;
/// results in order. The first failure ends the others, and the one with the
/// least number is returned.
pub(super) fn map<T: Send>(
    count: usize,
    workers: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let workers = workers.min(count);
    // Platforms without threads never ask for a second one.
    if workers <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..count).map(|_| None).collect());
    let one_by_one = || {
        loop {
            // Numbers are handed out in order: whatever is below a failure was
            // begun before it, and is finished.
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            let result = work(at);
            if result.is_err() {
                next.store(count, Ordering::Relaxed);
            }
            let mut results = results.lock().unwrap_or_else(|lock| lock.into_inner());
            results[at] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(one_by_one);
        }
        one_by_one();
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

    #[test]
    fn results_are_in_order_and_each_number_comes_once() {
        for workers in 0..5 {
            for count in [0, 1, 2, 7, 100] {
                let calls = AtomicUsize::new(0);
                let found = map(count, workers, |at| {
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
        for workers in [1, 2, 8] {
            let calls = AtomicUsize::new(0);
            let found = map(10_000, workers, |at| {
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
