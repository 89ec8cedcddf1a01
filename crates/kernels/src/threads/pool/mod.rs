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

/// Threads that take part in each other's work, one piece of work at a time.
///
/// The pool starts none: a thread that is to help calls
/// [`help`](Self::help). Threads that wait look for news without sleeping, as
/// kernels follow each other too closely for that, and offer their core to
/// others meanwhile: one that waits may have the core that the work needs.
#[derive(Debug)]
pub struct Pool {
    /// Offers of the core before a thread sleeps.
    patience: u32,
    helpers: AtomicUsize,
    /// Whether there is work; more of it is then done by whoever has it.
    is_busy: AtomicBool,
    /// Lives on the stack of the thread whose work it is, which stays there
    /// until all tasks are done: a thread looks at it only with a task in hand.
    work: AtomicPtr<Work<'static>>,
    /// Tasks that nobody has taken.
    left: AtomicUsize,
    done: AtomicUsize,
    is_closed: AtomicBool,
    /// A helper broke down, and is out of the work.
    has_failed: AtomicBool,
    /// A helper broke down in the middle of it.
    has_lost: AtomicBool,
    /// For helpers: there are tasks.
    begun: WakeSignal,
    /// For the thread whose work it is: all are done.
    ended: WakeSignal,
}

struct Work<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    count: usize,
}

impl Pool {
    /// One whose threads sleep when they have looked in vain for a while:
    /// `patience` times a few hundred cycles.
    pub const fn new(patience: u32) -> Self {
        Self {
            patience,
            helpers: AtomicUsize::new(0),
            is_busy: AtomicBool::new(false),
            work: AtomicPtr::new(std::ptr::null_mut()),
            left: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            has_lost: AtomicBool::new(false),
            begun: WakeSignal::new(),
            ended: WakeSignal::new(),
        }
    }

    /// How many threads there are, the caller's among them.
    pub fn size(&self) -> usize {
        1 + self.helpers.load(SeqCst)
    }

    /// Counts a thread in, before it calls [`help`](Self::help).
    pub fn enlist(&self) {
        self.helpers.fetch_add(1, SeqCst);
    }

    /// Takes part in all work until the pool is closed.
    pub fn help(&self) {
        let is_closed = || self.is_closed.load(SeqCst);
        while !is_closed() {
            let part = Part {
                pool: self,
                taken: Cell::new(0),
            };
            self.take_part(&part.taken);
            drop(part);
            let has_news = || self.left.load(SeqCst) > 0 || is_closed();
            self.begun.wait(self.patience, has_news);
        }
    }

    /// Lets all threads go that help.
    pub fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.begun.ring();
    }

    /// Makes the work fail that waits for a thread which will not come back,
    /// not even by unwinding.
    pub fn report_failure(&self) {
        self.has_lost.store(true, SeqCst);
        self.ended.ring();
    }

    /// Takes a task, where any is left; how many were.
    fn take(&self) -> Option<usize> {
        let less_one = |left: usize| left.checked_sub(1);
        self.left.fetch_update(SeqCst, SeqCst, less_one).ok()
    }

    /// Does tasks while there are any, and counts them.
    fn take_part(&self, taken: &Cell<usize>) {
        while let Some(left) = self.take() {
            // SAFETY: it is there until the task is done that was just taken.
            let work = unsafe { &*self.work.load(SeqCst) };
            taken.set(taken.get() + 1);
            (work.task)(work.count - left);
        }
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
        let work = Work { task, count };
        let published = Published::new(self, &work);
        self.take_part(&published.taken);
    }
}

/// What a helper has done of a piece of work.
struct Part<'a> {
    pool: &'a Pool,
    taken: Cell<usize>,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.pool.has_failed.store(true, SeqCst);
        }
        if self.taken.get() > 0 {
            self.pool.done.fetch_add(self.taken.get(), SeqCst);
            self.pool.ended.ring();
        }
    }
}

/// Work that helpers see. When it is dropped, no helper uses it any more.
struct Published<'a> {
    pool: &'a Pool,
    count: usize,
    /// By the thread whose work it is.
    taken: Cell<usize>,
}

impl<'a> Published<'a> {
    fn new(pool: &'a Pool, work: &Work<'_>) -> Self {
        let count = work.count;
        pool.done.store(0, SeqCst);
        let work = (&raw const *work).cast_mut().cast();
        pool.work.store(work, SeqCst);
        pool.left.store(count, SeqCst);
        pool.begun.ring();
        let taken = Cell::new(0);
        Self { pool, count, taken }
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        let pool = self.pool;
        let has_lost = || pool.has_lost.load(SeqCst);
        let is_over = || pool.done.load(SeqCst) + self.taken.get() == self.count;
        pool.ended.wait(pool.patience, || is_over() || has_lost());
        let has_failed = has_lost() || pool.has_failed.load(SeqCst);
        pool.is_busy.store(false, SeqCst);
        assert!(
            !has_failed || thread::panicking(),
            "a thread that helped has failed"
        );
    }
}
