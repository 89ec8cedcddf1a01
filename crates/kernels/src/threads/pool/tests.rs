use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use super::*;

/// Miri takes minutes for more.
const ROUNDS: usize = if cfg!(miri) { 40 } else { 2000 };

/// A pool with helpers that live until the tests are over.
fn pool(helpers: usize) -> &'static Pool {
    let pool: &Pool = Box::leak(Box::new(Pool::new(64)));
    for _ in 0..helpers {
        pool.enlist();
        thread::spawn(|| pool.help());
    }
    pool
}

/// How often the task is called with each number.
fn calls(pool: &Pool, count: usize) -> Vec<usize> {
    let calls: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    pool.run(count, &|at| {
        calls[at].fetch_add(1, SeqCst);
    });
    calls.into_iter().map(AtomicUsize::into_inner).collect()
}

/// Waits until `threads` threads have arrived.
fn meet(arrived: &AtomicUsize, threads: usize) {
    arrived.fetch_add(1, SeqCst);
    while arrived.load(SeqCst) < threads {
        thread::yield_now();
    }
}

#[test]
fn each_task_is_called_once() {
    for helpers in 0..4 {
        let pool = pool(helpers);
        assert_eq!(pool.threads(), helpers + 1);
        for round in 0..ROUNDS {
            let count = round % 17;
            assert_eq!(calls(pool, count), vec![1; count], "{helpers}, {round}");
        }
    }
}

#[test]
fn sleeping_threads_are_woken() {
    let pool = pool(2);
    for _ in 0..20 {
        // All three have to arrive at the same time.
        let here = AtomicUsize::new(0);
        pool.run(3, &|_| {
            meet(&here, 3);
        });
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn nested_and_concurrent_jobs_are_done() {
    let pool = pool(2);
    let total = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                pool.run(10, &|_| {
                    total.fetch_add(calls(pool, 10).len(), SeqCst);
                });
            });
        }
    });
    assert_eq!(total.into_inner(), 300);
}

#[test]
fn a_panic_of_a_helper_is_reported() {
    let pool = pool(2);
    let here = AtomicUsize::new(0);
    let main = thread::current().id();
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(3, &|_| {
            meet(&here, 3);
            assert_eq!(thread::current().id(), main, "on purpose");
        });
    }));
    assert!(ran.is_err());
}

#[test]
fn a_panic_of_the_owner_waits_for_helpers() {
    let pool = pool(1);
    let (began, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let main = thread::current().id();
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(9, &|_| {
            meet(&began, 2);
            assert_ne!(thread::current().id(), main, "on purpose");
            ended.fetch_add(1, SeqCst);
        });
    }));
    assert!(ran.is_err());
    // All tasks but the one that panicked have ended.
    assert_eq!((began.into_inner(), ended.into_inner()), (9, 8));
    assert_eq!(calls(pool, 5), [1; 5]);
}

/// A helper that takes a task and stops, as if by a trap, when `is_time`.
fn lose_a_helper(pool: &'static Pool, is_time: impl Fn() -> bool + Send + 'static) {
    pool.enlist();
    thread::spawn(move || {
        while pool.take().is_none() {
            thread::yield_now();
        }
        TAKEN.set(1);
        while !is_time() {
            thread::yield_now();
        }
        // SAFETY: this thread runs no task.
        unsafe { pool.report_failure() };
    });
}

#[test]
fn a_lost_helper_is_reported() {
    let pool: &Pool = Box::leak(Box::new(Pool::new(64)));
    lose_a_helper(pool, || {
        thread::sleep(Duration::from_millis(20));
        true
    });
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(4, &|_| {
            while pool.left.load(SeqCst) == 3 {
                thread::yield_now();
            }
        });
    }));
    assert!(ran.is_err());
}

#[test]
fn a_job_that_lost_a_helper_waits_for_the_others() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    let pool = pool(1);
    // When both other threads are in a task.
    lose_a_helper(pool, || BEGUN.load(SeqCst) == 2);
    let main = thread::current().id();
    let ended = AtomicUsize::new(0);
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(3, &|_| {
            meet(&BEGUN, 2);
            // The third task is the lost helper's.
            while pool.left.load(SeqCst) > 0 {
                thread::yield_now();
            }
            if thread::current().id() != main {
                // Long after the failure is reported, and the owner is done.
                while !pool.has_failed.load(SeqCst) {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(50));
                ended.fetch_add(1, SeqCst);
            }
        });
    }));
    assert!(ran.is_err());
    assert_eq!(ended.load(SeqCst), 1, "a helper is still in its task");
}

#[test]
fn an_owner_that_panics_after_a_failure_does_not_wait_for_helpers() {
    let pool = pool(0);
    pool.enlist();
    pool.has_failed.store(true, SeqCst);
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(3, &|_| panic!("on purpose"));
    }));
    assert!(ran.is_err());
    assert!(!pool.is_busy.load(SeqCst));
}

#[test]
fn helpers_leave_a_closed_pool() {
    for pause in [0, 5] {
        let pool = Pool::new(64);
        thread::scope(|scope| {
            for _ in 0..3 {
                pool.enlist();
                scope.spawn(|| pool.help());
            }
            assert_eq!(calls(&pool, 10), [1; 10]);
            thread::sleep(Duration::from_millis(pause));
            pool.close();
        });
    }
}
