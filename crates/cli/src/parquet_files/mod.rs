//! Parquet, if this program is built with it.

#[cfg(not(feature = "parquet"))]
mod absent;
#[cfg(feature = "parquet")]
mod read;
#[cfg(feature = "parquet")]
mod write;

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use multivec::{Error, Result};

#[cfg(not(feature = "parquet"))]
pub(crate) use absent::{Reader, Writer};
#[cfg(feature = "parquet")]
pub(crate) use read::Reader;
#[cfg(feature = "parquet")]
pub(crate) use write::Writer;

pub(crate) type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>;

const EXPECTED: &str = "a program that is built with the feature `parquet`";

/// Refuses files before anything is encoded for them.
pub(crate) fn can_write(path: &Path) -> Result<()> {
    if cfg!(feature = "parquet") {
        return Ok(());
    }
    let file = path.display().to_string();
    Err(Error::invalid_file(file, EXPECTED, "one without it"))
}
