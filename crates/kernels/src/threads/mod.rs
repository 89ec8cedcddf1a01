//! Threads that kernels run on, whoever owns them.

mod parallel;
mod pool;

pub(crate) use parallel::{Matrix, Shared, for_rows, ranges};
pub use parallel::{Parallel, Serial};
pub use pool::{Pool, ThreadPool};
