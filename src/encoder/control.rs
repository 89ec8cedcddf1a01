//! Cancellation, deadlines and progress of calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};

/// A switch that cancels calls. Cheap to clone; all clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// A switch that has not been cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels all calls with this switch, running ones and later ones. Each
    /// finishes the batch that it is running.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The progress of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Progress {
    /// Texts encoded so far.
    pub done: usize,
    /// Texts of the call; `None` in a stream.
    pub total: Option<usize>,
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// Cancellation, deadline and progress of calls, for
/// [`Encoder::with_control`](super::Encoder::with_control).
#[derive(Clone, Default)]
pub struct Control {
    cancellation: Option<Cancellation>,
    deadline: Option<Instant>,
    listener: Option<Listener>,
    /// For a part of a stream the texts before it.
    before: Option<usize>,
}

impl Control {
    /// No cancellation, no deadline, no listener.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends calls with [`Error::Cancelled`] once this switch is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = Some(cancellation.clone());
        self
    }

    /// Ends calls with [`Error::DeadlineExceeded`] at this time. Batches that
    /// have begun are finished.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls `listener` after each batch, on the thread that ran it.
    #[must_use]
    pub fn with_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// The control of the part of a stream that follows `texts` texts.
    pub(super) fn after(&self, texts: usize) -> Self {
        Self {
            before: Some(texts),
            ..self.clone()
        }
    }

    /// A number of texts of a call, or a position among them, counted from the
    /// first of its stream.
    pub(super) fn in_stream(&self, texts: usize) -> usize {
        self.before.unwrap_or(0) + texts
    }

    /// Fails if a call has to end after `done` of its texts.
    pub(super) fn check(&self, done: usize) -> Result<()> {
        let done = self.in_stream(done);
        if let Some(cancellation) = &self.cancellation
            && cancellation.is_cancelled()
        {
            return Err(Error::cancelled(done));
        }
        // Some platforms have no clock, so read it only for a deadline.
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::deadline_exceeded(done)),
            _ => Ok(()),
        }
    }

    /// Tells the listener that `done` of the call's `total` texts are encoded.
    pub(super) fn report(&self, done: usize, total: usize) {
        if let Some(listener) = &self.listener {
            listener(Progress {
                done: self.in_stream(done),
                total: self.before.is_none().then_some(total),
            });
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("cancellation", &self.cancellation)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
