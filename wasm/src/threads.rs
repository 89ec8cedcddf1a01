//! Threads that the platform lends to the encoder.
//!
//! WebAssembly starts no threads by itself: JavaScript starts workers, and
//! each of them calls [`Pool::help`]. Where nobody does, all runs on the
//! thread that asks.

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard};

use multivec_core::kernels::Parallel;

/// The pool of this instance.
pub(crate) static POOL: Pool = Pool::new();

/// How often a thread looks for news before it sleeps: a few hundred
/// microseconds, more than lie between two kernels of a batch. To be woken
/// takes long where other programs want the same core.
const SPINS: u32 = 1 << 18;

/// Threads that take part in each other's work, one piece of work at a time.
pub(crate) struct Pool {
    helpers: AtomicUsize,
    /// Whether there is work; more of it is then done by whoever has it.
    is_busy: AtomicBool,
    /// Lives on the stack of the thread whose work it is.
    work: AtomicPtr<Work<'static>>,
    /// Helpers that may be using `work`.
    inside: AtomicUsize,
    /// Counts pieces of work.
    turn: AtomicU32,
    has_failed: AtomicBool,
    /// Threads that sleep, or are about to.
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    news: Condvar,
}

struct Work<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
}

impl Work<'_> {
    fn take_part(&self) {
        loop {
            let at = self.next.fetch_add(1, SeqCst);
            if at >= self.count {
                break;
            }
            (self.task)(at);
        }
    }
}

impl Pool {
    const fn new() -> Self {
        Self {
            helpers: AtomicUsize::new(0),
            is_busy: AtomicBool::new(false),
            work: AtomicPtr::new(std::ptr::null_mut()),
            inside: AtomicUsize::new(0),
            turn: AtomicU32::new(0),
            has_failed: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            news: Condvar::new(),
        }
    }

    /// How many threads there are, the caller's among them.
    pub(crate) fn size(&self) -> usize {
        1 + self.helpers.load(SeqCst)
    }

    /// Counts the calling thread in, before it calls [`help`](Self::help).
    #[cfg(any(target_feature = "atomics", test))]
    pub(crate) fn enlist(&self) {
        self.helpers.fetch_add(1, SeqCst);
    }

    /// Takes part in all work from now on.
    #[cfg(any(target_feature = "atomics", test))]
    pub(crate) fn help(&self) -> ! {
        let mut seen = 0;
        loop {
            self.wait(|| self.turn.load(SeqCst) != seen);
            seen = self.turn.load(SeqCst);
            // Whoever has the work takes it back first and looks here then.
            self.inside.fetch_add(1, SeqCst);
            let work = self.work.load(SeqCst);
            // SAFETY: it is not taken back before this thread has left.
            if let Some(work) = unsafe { work.as_ref() } {
                work.take_part();
            }
            if self.inside.fetch_sub(1, SeqCst) == 1 {
                self.wake();
            }
        }
    }

    /// Tells the others that a thread broke down in the middle of work.
    #[cfg(any(target_feature = "atomics", test))]
    pub(crate) fn report_failure(&self) {
        self.has_failed.store(true, SeqCst);
        self.wake();
    }

    /// Returns when `is_over`, which another thread makes so before it calls
    /// [`wake`](Self::wake).
    fn wait(&self, is_over: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if is_over() {
                return;
            }
            hint::spin_loop();
        }
        self.sleepers.fetch_add(1, SeqCst);
        let mut guard = self.lock();
        while !is_over() {
            guard = self
                .news
                .wait(guard)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        drop(guard);
        self.sleepers.fetch_sub(1, SeqCst);
    }

    fn wake(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            // Not between a look and the sleep that follows.
            drop(self.lock());
            self.news.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.sleep
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Parallel for Pool {
    fn threads(&self) -> usize {
        match self.is_busy.load(SeqCst) {
            true => 1,
            false => self.size(),
        }
    }

    /// # Panics
    /// If a helper broke down: its part of the work is not done.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let is_alone = count <= 1 || self.size() == 1;
        if is_alone || self.is_busy.swap(true, SeqCst) {
            return (0..count).for_each(task);
        }
        let work = Work {
            task,
            count,
            next: AtomicUsize::new(0),
        };
        let _guard = Published::new(self, &work);
        work.take_part();
    }
}

/// Work that helpers see. When it is dropped, no helper uses it any more.
struct Published<'a>(&'a Pool);

impl<'a> Published<'a> {
    fn new(pool: &'a Pool, work: &Work<'_>) -> Self {
        pool.work
            .store((&raw const *work).cast_mut().cast(), SeqCst);
        pool.turn.fetch_add(1, SeqCst);
        pool.wake();
        Self(pool)
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        let pool = self.0;
        pool.work.store(std::ptr::null_mut(), SeqCst);
        let has_failed = || pool.has_failed.load(SeqCst);
        pool.wait(|| pool.inside.load(SeqCst) == 0 || has_failed());
        assert!(!has_failed(), "a thread that helped has failed");
        pool.is_busy.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A pool with helpers that stay until the tests are over.
    fn pool(helpers: usize) -> &'static Pool {
        let pool: &Pool = Box::leak(Box::new(Pool::new()));
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
                here.fetch_add(1, SeqCst);
                while here.load(SeqCst) < 3 {
                    thread::yield_now();
                }
            });
            thread::sleep(std::time::Duration::from_millis(2));
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
        let pool: &Pool = Box::leak(Box::new(Pool::new()));
        pool.enlist();
        // One that comes in, and never leaves.
        thread::spawn(|| {
            pool.wait(|| pool.turn.load(SeqCst) > 0);
            pool.inside.fetch_add(1, SeqCst);
            thread::sleep(std::time::Duration::from_millis(20));
            pool.report_failure();
        });
        let work = thread::spawn(|| {
            pool.run(4, &|_| {
                while pool.inside.load(SeqCst) == 0 {
                    thread::yield_now();
                }
            });
        });
        assert!(work.join().is_err());
    }
}
