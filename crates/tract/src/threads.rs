//! The threads that operators run on.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use multivec_kernels::{Parallel, Serial};

/// Threads that the owner of a backend lends to it.
#[derive(Clone)]
pub struct Threads(Source);

#[derive(Clone)]
enum Source {
    /// The calling thread alone.
    Caller,
    Shared(Arc<dyn Parallel + Send>),
}

impl Threads {
    /// Lends these threads to kernels and to the encoder.
    pub fn new(threads: impl Parallel + Send + 'static) -> Self {
        Self(Source::Shared(Arc::new(threads)))
    }

    /// The threads that were lent, if any.
    pub(crate) fn shared(&self) -> Option<&dyn Parallel> {
        match &self.0 {
            Source::Caller => None,
            Source::Shared(threads) => Some(&**threads),
        }
    }
}

impl Default for Threads {
    /// The calling thread alone.
    fn default() -> Self {
        Self(Source::Caller)
    }
}

impl Deref for Threads {
    type Target = dyn Parallel;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Source::Caller => &Serial,
            Source::Shared(threads) => &**threads,
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Threads").field(&self.threads()).finish()
    }
}
