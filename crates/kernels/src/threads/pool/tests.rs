use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use super::*;

/// A pool with helpers that stay until the tests are over.
fn pool(helpers: usize) -> &'static Pool {
    let pool: &Pool = Box::leak(Box::new(Pool::new(64)));
    for _ in 0..helpers {
        pool.enlist();
        thread::spawn(|| pool.help());
    }
    pool
}

/// How often each number came.
fn calls(pool: &Pool, count: usize) -> Vec<usize> {
    let calls: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    pool.run(count, &|at| {
        calls[at].fetch_add(1, SeqCst);
    });
    calls.into_iter().map(AtomicUsize::into_inner).collect()
}

/// Waits until so many threads have come.
fn meet(here: &AtomicUsize, threads: usize) {
    here.fetch_add(1, SeqCst);
    while here.load(SeqCst) < threads {
        thread::yield_now();
    }
}

#[test]
fn each_number_comes_once() {
    for helpers in 0..4 {
        let pool = pool(helpers);
        assert_eq!(pool.threads(), helpers + 1);
        for round in 0..2000 {
            let count = round % 17;
            assert_eq!(calls(pool, count), vec![1; count], "{helpers}, {round}");
        }
    }
}

#[test]
fn threads_that_sleep_are_woken() {
    let pool = pool(2);
    for _ in 0..20 {
        // All three have to be there at the same time.
        let here = AtomicUsize::new(0);
        pool.run(3, &|_| {
            meet(&here, 3);
        });
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn work_within_work_and_beside_work_is_done() {
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
fn a_helper_that_breaks_down_is_told() {
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
fn work_that_breaks_down_is_over_for_all() {
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
    // All but the one that broke down, and nobody is in it any more.
    assert_eq!((began.into_inner(), ended.into_inner()), (9, 8));
    assert_eq!(calls(pool, 5), [1; 5]);
}

#[test]
fn a_helper_that_is_lost_is_told() {
    let pool: &Pool = Box::leak(Box::new(Pool::new(64)));
    pool.enlist();
    // One that takes a task, and never comes back.
    thread::spawn(|| {
        while pool.take().is_none() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        pool.report_failure();
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
fn helpers_leave_a_closed_pool() {
    for naps in [0, 5] {
        let pool = Pool::new(64);
        thread::scope(|scope| {
            for _ in 0..3 {
                pool.enlist();
                scope.spawn(|| pool.help());
            }
            assert_eq!(calls(&pool, 10), [1; 10]);
            thread::sleep(Duration::from_millis(naps));
            pool.close();
        });
    }
}
