//! Waiting for other threads.

use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

/// Looks for news between two offers of the core to other threads.
const LOOKS: u32 = 64;

/// What wakes threads that wait for something.
#[derive(Debug)]
pub(super) struct WakeSignal {
    /// Threads that sleep, or are about to.
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

    /// Returns when `is_over`, which another thread makes so before it calls
    /// [`ring`](Self::ring).
    pub(super) fn wait(&self, patience: u32, is_over: impl Fn() -> bool) {
        for _ in 0..patience {
            for _ in 0..LOOKS {
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

    pub(super) fn ring(&self) {
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
