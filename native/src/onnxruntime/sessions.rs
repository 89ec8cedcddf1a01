//! Sessions, each used by one caller at a time.

use std::sync::{Condvar, Mutex, MutexGuard};

use multivec_core::{Result, RunMode};
use ort::session::Session;

use super::opener::SessionOpener;

/// Narrow sessions for batches that run side by side, and optionally a wide
/// one, with the threads of all of them, for a batch that runs alone. The two
/// kinds never run at the same time, so that no more threads are busy than
/// there are cores.
///
/// Narrow sessions are opened when they are first needed.
pub(super) struct SessionPool {
    state: Mutex<State>,
    changed: Condvar,
    opener: SessionOpener,
    /// Maximum number of narrow sessions.
    max: usize,
    has_wide: bool,
}

#[derive(Default)]
struct State {
    wide: Option<Session>,
    /// Narrow sessions that are open and idle.
    idle: Vec<Session>,
    /// Narrow sessions in use.
    busy: usize,
    /// Callers are served in the order of their tickets.
    next_ticket: u64,
    serving: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Narrow,
    Wide,
}

impl SessionPool {
    /// `first` is the wide session if `opener` has one, otherwise a narrow one.
    /// At most `max` narrow sessions are open.
    pub(super) fn new(opener: SessionOpener, first: Session, max: usize) -> Self {
        let has_wide = opener.has_wide();
        let mut state = State::default();
        if has_wide {
            state.wide = Some(first);
        } else {
            state.idle.push(first);
        }
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            opener,
            max,
            has_wide,
        }
    }

    /// Opens all sessions.
    pub(super) fn open_all(&self) -> Result<()> {
        let open = self.lock().idle.len();
        let opened = (open..self.max).map(|_| self.opener.open_narrow());
        let opened = opened.collect::<Result<Vec<_>>>()?;
        self.lock().idle.extend(opened);
        Ok(())
    }

    /// Calls `work` with a session that no other caller uses meanwhile.
    pub(super) fn with<T>(
        &self,
        mode: RunMode,
        work: impl FnOnce(&mut Session) -> Result<T>,
    ) -> Result<T> {
        let (width, session) = self.take(mode);
        // Returns the session whatever happens from here on.
        let mut lease = Lease {
            pool: self,
            width,
            session,
        };
        let session = match lease.session.take() {
            Some(session) => session,
            None => self.opener.open_narrow()?,
        };
        work(lease.session.insert(session))
    }

    /// Waits for a session, or for permission to open one.
    fn take(&self, mode: RunMode) -> (Width, Option<Session>) {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        loop {
            let is_last = state.next_ticket == ticket + 1;
            let mode = if is_last { mode } else { RunMode::Shared };
            if state.serving == ticket
                && let Some(width) = self.choose(&state, mode)
            {
                state.serving += 1;
                let session = match width {
                    Width::Wide => state.wide.take(),
                    Width::Narrow => {
                        state.busy += 1;
                        state.idle.pop()
                    }
                };
                drop(state);
                // There may be another session for the next in line.
                self.changed.notify_all();
                return (width, session);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(|lock| lock.into_inner());
        }
    }

    fn choose(&self, state: &State, mode: RunMode) -> Option<Width> {
        // While the wide session runs, no narrow one may.
        if self.has_wide && state.wide.is_none() {
            return None;
        }
        if self.has_wide && mode == RunMode::Exclusive && state.busy == 0 {
            return Some(Width::Wide);
        }
        (state.busy < self.max).then_some(Width::Narrow)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|lock| lock.into_inner())
    }
}

/// Returns a session when it is dropped, even if its user panics.
struct Lease<'a> {
    pool: &'a SessionPool,
    width: Width,
    session: Option<Session>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.width {
            Width::Wide => state.wide = self.session.take(),
            Width::Narrow => {
                state.busy -= 1;
                state.idle.extend(self.session.take());
            }
        }
        drop(state);
        self.pool.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::super::opener::tests::opener;
    use super::*;
    use crate::options::Parallelism;

    #[test]
    fn wide_and_narrow_sessions_take_turns() {
        let (opener, first) = opener(Parallelism {
            sessions: 3,
            threads: 1,
            wide: 2,
        });
        let pool = SessionPool::new(opener, first, 3);
        let (wide, side_by_side) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let check = |_: &mut Session| {
            let state = pool.lock();
            // This runs in a session, so one of the two kinds is in use.
            assert_ne!(state.wide.is_none(), state.busy > 0);
            assert!(state.busy <= 3);
            let seen = if state.busy == 0 {
                &wide
            } else {
                &side_by_side
            };
            seen.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        // With no other caller, the wide session runs, unless more are to come.
        pool.with(RunMode::Exclusive, check)
            .expect("a session opens");
        assert_eq!(wide.load(Ordering::Relaxed), 1);
        pool.with(RunMode::Shared, check).expect("a session opens");
        assert_eq!(side_by_side.load(Ordering::Relaxed), 1);
        thread::scope(|scope| {
            for at in 0..16 {
                let mode = [RunMode::Exclusive, RunMode::Shared][at % 2];
                let (pool, check) = (&pool, &check);
                scope.spawn(move || {
                    for _ in 0..50 {
                        pool.with(mode, check).expect("a session opens");
                    }
                });
            }
        });
        let calls = wide.into_inner() + side_by_side.into_inner();
        assert_eq!(calls, 2 + 16 * 50);
        let state = pool.lock();
        assert!(state.wide.is_some() && state.busy == 0 && state.idle.len() <= 3);
        assert_eq!(state.serving, state.next_ticket);
    }

    #[test]
    fn a_panic_returns_its_session() {
        let (opener, first) = opener(Parallelism {
            sessions: 1,
            threads: 1,
            wide: 0,
        });
        let pool = SessionPool::new(opener, first, 1);
        thread::scope(|scope| {
            let panics = || {
                pool.with(RunMode::Exclusive, |_| -> Result<()> {
                    panic!("on purpose")
                })
            };
            let ended = scope.spawn(panics).join();
            assert!(ended.is_err());
        });
        pool.with(RunMode::Exclusive, |_| Ok(()))
            .expect("the session was returned");
    }
}
