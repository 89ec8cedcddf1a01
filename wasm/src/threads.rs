//! Threads that the page lends to the encoder.
//!
//! WebAssembly starts no threads by itself: JavaScript starts workers, and
//! each of them calls [`Pool::help`]. Where nobody does, all runs on the
//! thread that asks.

use multivec_kernels::Pool;
use multivec_tract::Threads;

/// How often a thread looks for news before it sleeps: a few hundred
/// microseconds, more than lie between two kernels of a batch. To be woken
/// takes long where other programs want the same core.
const PATIENCE: u32 = 1 << 12;

/// The pool of this instance.
pub(crate) static POOL: Pool = Pool::new(PATIENCE);

/// The pool, for a backend.
pub(crate) fn threads() -> Threads {
    Threads::new(&POOL)
}
