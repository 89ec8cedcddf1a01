//! Waiting for other threads.

use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

/// Polls between two yields.
const POLLS: u32 = 64;

/// Wakes threads that wait for a condition.
#[derive(Debug)]
pub(super) struct WakeSignal {
    /// Threads that sleep or are about to.
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    news: Condvar,
}

impl WakeSignal {
    pub(super) const fn new() -> Self {
        Self {
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            news: Condvar::new(),
        }
    }

    /// Waits until `is_over` returns true: polls, yields up to `patience` times,
    /// then sleeps. Who changes the condition calls [`notify`](Self::notify)
    /// afterwards.
    pub(super) fn wait(&self, patience: u32, is_over: impl Fn() -> bool) {
        for _ in 0..patience {
            for _ in 0..POLLS {
                if is_over() {
                    return;
                }
                hint::spin_loop();
            }
            thread::yield_now();
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

    pub(super) fn notify(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            // Takes the lock, so that a wake-up cannot be lost between check and wait.
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
