//! Threads that kernels run on, whoever owns them.

mod parallel;
mod pool;

pub use parallel::{Parallel, Serial};
pub(crate) use parallel::{Shared, for_rows, ranges};
pub use pool::{Pool, ThreadPool};
