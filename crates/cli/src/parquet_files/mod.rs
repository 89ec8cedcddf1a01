//! Parquet, if this program is built with it.

#[cfg(not(feature = "parquet"))]
mod absent;
#[cfg(feature = "parquet")]
mod read;
#[cfg(feature = "parquet")]
mod write;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

#[cfg(not(feature = "parquet"))]
pub(crate) use absent::{Reader, Writer, can_write};
#[cfg(feature = "parquet")]
pub(crate) use read::Reader;
#[cfg(feature = "parquet")]
pub(crate) use write::{Writer, can_write};

pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;
