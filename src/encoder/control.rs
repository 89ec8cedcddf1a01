//! What may end an encoding early, and who hears how far it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};

/// A switch that ends the calls that were given it; cheap to clone, and all
/// clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// A switch that is off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends all calls with this switch, each before its next batch. It stays
    /// on for good.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is on.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Texts that are encoded.
    pub done: usize,
    /// Texts of the call; `None` in a stream, which does not know.
    pub total: Option<usize>,
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// What may end a call before it is done, and who hears of its progress; for
/// [`Encoder::with_control`](super::Encoder::with_control).
#[derive(Clone, Default)]
pub struct Control {
    cancellation: Option<Cancellation>,
    deadline: Option<Instant>,
    listener: Option<Listener>,
    /// Texts that came before those of this call, and whether it is a part of
    /// a stream.
    before: Option<usize>,
}

impl Control {
    /// Nothing ends a call, and nobody listens.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends calls once this switch is on, with
    /// [`Error::Cancelled`].
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = Some(cancellation.clone());
        self
    }

    /// Ends calls that are not done by then, with
    /// [`Error::DeadlineExceeded`]. A batch that has begun is finished.
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

    /// The control of a part of a stream, after that many texts.
    pub(super) fn after(&self, texts: usize) -> Self {
        Self {
            before: Some(texts),
            ..self.clone()
        }
    }

    /// Fails if the call, with so many of its texts done, has to end.
    pub(super) fn check(&self, done: usize) -> Result<()> {
        let done = self.before.unwrap_or(0) + done;
        if let Some(cancellation) = &self.cancellation
            && cancellation.is_cancelled()
        {
            return Err(Error::Cancelled { done });
        }
        // The clock is asked only where there is a deadline: not all
        // platforms have one.
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::DeadlineExceeded { done }),
            _ => Ok(()),
        }
    }

    /// Tells the listener that so many of the call's texts are done.
    pub(super) fn report(&self, done: usize, total: usize) {
        if let Some(listener) = &self.listener {
            listener(match self.before {
                Some(before) => Progress {
                    done: before + done,
                    total: None,
                },
                None => Progress {
                    done,
                    total: Some(total),
                },
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
