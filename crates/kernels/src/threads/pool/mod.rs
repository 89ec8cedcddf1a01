//! Threads that work on the tasks of a kernel together.

#[cfg(test)]
mod tests;
mod thread_pool;
mod wake_signal;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::threads::Parallel;
pub use thread_pool::ThreadPool;
use wake_signal::WakeSignal;

thread_local! {
    /// Tasks of the current job that this thread took as a helper. Outside of
    /// the stack, so that they are still known after a trap, which unwinds
    /// nothing.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Threads that help each other, with one job at a time.
///
/// The pool starts no threads: one that is to help calls [`help`](Self::help).
/// Idle threads poll for work before they sleep, since kernels follow each other
/// too closely for that, and yield their core between polls, as the work may
/// need it.
#[derive(Debug)]
pub struct Pool {
    /// How often an idle thread yields its core before it sleeps.
    patience: u32,
    helpers: AtomicUsize,
    /// Whether there is a job; others then run on their own threads alone.
    is_busy: AtomicBool,
    /// On the stack of the job's owner, which waits there until all tasks are
    /// accounted for: only a thread with a task in hand may dereference it.
    job: AtomicPtr<Job<'static>>,
    /// Tasks that no thread has taken.
    left: AtomicUsize,
    /// Tasks that helpers took and will not touch again.
    done: AtomicUsize,
    is_closed: AtomicBool,
    /// Whether a helper ever panicked or was lost.
    has_failed: AtomicBool,
    /// Wakes helpers: there are tasks, or the pool is closed.
    begun: WakeSignal,
    /// Wakes the job's owner: tasks are done.
    ended: WakeSignal,
}

/// Tasks that are worked on together.
struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    count: usize,
}

impl Pool {
    /// A pool whose threads sleep after `patience` times a few hundred cycles
    /// without work.
    pub const fn new(patience: u32) -> Self {
        Self {
            patience,
            helpers: AtomicUsize::new(0),
            is_busy: AtomicBool::new(false),
            job: AtomicPtr::new(std::ptr::null_mut()),
            left: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            begun: WakeSignal::new(),
            ended: WakeSignal::new(),
        }
    }

    /// How many threads there are, including the caller's.
    pub fn size(&self) -> usize {
        1 + self.helpers.load(SeqCst)
    }

    /// Registers a thread that is about to call [`help`](Self::help).
    pub fn enlist(&self) {
        self.helpers.fetch_add(1, SeqCst);
    }

    /// Helps with all jobs until the pool is closed.
    pub fn help(&self) {
        let is_closed = || self.is_closed.load(SeqCst);
        while !is_closed() {
            let helper = Helper {
                pool: self,
                outer: TAKEN.take(),
            };
            TAKEN.with(|taken| self.work(taken));
            drop(helper);
            let has_news = || self.left.load(SeqCst) > 0 || is_closed();
            self.begun.wait(self.patience, has_news);
        }
    }

    /// Makes all helpers return from [`help`](Self::help).
    pub fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.begun.notify();
    }

    /// Gives up the tasks that the calling thread had taken as a helper when it
    /// was stopped without unwinding, as a trap in WebAssembly does. The job that
    /// they belong to ends with a panic, after all other threads are done with
    /// theirs.
    ///
    /// # Safety
    /// The calling thread must have left [`help`](Self::help) of this pool, which
    /// it called last, without returning or unwinding. Whatever it ran inside of
    /// `help` must never go on.
    pub unsafe fn report_failure(&self) {
        self.has_failed.store(true, SeqCst);
        self.done.fetch_add(TAKEN.take(), SeqCst);
        self.ended.notify();
    }

    /// Takes a task, if any is left. Returns how many were left, including it.
    fn take(&self) -> Option<usize> {
        let less_one = |left: usize| left.checked_sub(1);
        self.left.fetch_update(SeqCst, SeqCst, less_one).ok()
    }

    /// Works on tasks while any are left, and counts those taken.
    fn work(&self, taken: &Cell<usize>) {
        while let Some(left) = self.take() {
            taken.set(taken.get() + 1);
            // SAFETY: the job's owner waits in `Published::drop` until every task
            // that was taken is counted in `done`, or was its own. The one just
            // taken is counted once this thread has left the job: by
            // `Helper::drop`, or by `report_failure`, whose caller promises that
            // it has.
            let job = unsafe { &*self.job.load(SeqCst) };
            (job.task)(job.count - left);
        }
    }
}

impl Parallel for Pool {
    fn threads(&self) -> usize {
        if self.is_busy.load(SeqCst) {
            1
        } else {
            self.size()
        }
    }

    /// # Panics
    /// If a helper panicked or was lost: its tasks are not done.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let is_alone = count <= 1 || self.size() == 1;
        if is_alone || self.is_busy.swap(true, SeqCst) {
            return (0..count).for_each(task);
        }
        let job = Job { task, count };
        let published = Published::new(self, &job);
        self.work(&published.taken);
    }
}

/// A helper during a job. When it is dropped, its tasks are counted as done, even
/// if one of them panicked.
struct Helper<'a> {
    pool: &'a Pool,
    /// Tasks of another pool, if one of them called [`Pool::help`].
    outer: usize,
}

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.pool.has_failed.store(true, SeqCst);
        }
        let taken = TAKEN.replace(self.outer);
        if taken > 0 {
            self.pool.done.fetch_add(taken, SeqCst);
            self.pool.ended.notify();
        }
    }
}

/// A job that helpers see. When it has been dropped, none of them uses it.
struct Published<'a> {
    pool: &'a Pool,
    count: usize,
    /// Tasks that its owner took.
    taken: Cell<usize>,
}

impl<'a> Published<'a> {
    fn new(pool: &'a Pool, job: &Job<'_>) -> Self {
        let count = job.count;
        pool.done.store(0, SeqCst);
        let job = (&raw const *job).cast_mut().cast();
        pool.job.store(job, SeqCst);
        pool.left.store(count, SeqCst);
        pool.begun.notify();
        let taken = Cell::new(0);
        Self { pool, count, taken }
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        let pool = self.pool;
        let is_over = || {
            // Tasks are left if the owner panicked. There may be no helper to take
            // them.
            if pool.has_failed.load(SeqCst) {
                self.taken.set(self.taken.get() + pool.left.swap(0, SeqCst));
            }
            pool.done.load(SeqCst) + self.taken.get() == self.count
        };
        pool.ended.wait(pool.patience, is_over);
        let has_failed = pool.has_failed.load(SeqCst);
        pool.is_busy.store(false, SeqCst);
        assert!(
            !has_failed || thread::panicking(),
            "a helper thread has failed"
        );
    }
}
