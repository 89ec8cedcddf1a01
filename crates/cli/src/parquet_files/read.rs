//! Tables out of Parquet files.

use std::fs::File;
use std::path::Path;

use arrow_schema::SchemaRef;
use multivec::{Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::Batches;
use crate::console::io_error;

/// A file whose footer has been read.
pub(crate) struct Reader {
    name: String,
    builder: ParquetRecordBatchReaderBuilder<File>,
}

impl Reader {
    /// Fails with [`Error::Io`] and [`Error::InvalidFile`].
    pub(crate) fn open(name: &str, path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| io_error(name, "reading", source))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(|error| match error {
            ParquetError::External(source) => Error::invalid_file(name, "a Parquet file", source),
            other => Error::invalid_file(name, "a Parquet file", other),
        })?;
        Ok(Self {
            name: name.to_owned(),
            builder,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.builder.schema()
    }

    /// Rows, where they can be counted.
    pub(crate) fn rows(&self) -> Option<usize> {
        usize::try_from(self.builder.metadata().file_metadata().num_rows()).ok()
    }

    /// Skips rows at the start.
    #[must_use]
    pub(crate) fn starting_at(mut self, row: usize) -> Self {
        self.builder = self.builder.with_offset(row);
        self
    }

    /// Reads some of the columns alone.
    #[must_use]
    pub(crate) fn with_columns(mut self, columns: Vec<usize>) -> Self {
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), columns);
        self.builder = self.builder.with_projection(mask);
        self
    }

    /// Batches of at most so many rows.
    pub(crate) fn batches(self, rows: usize) -> Result<Batches> {
        let reader = self.builder.with_batch_size(rows).build();
        let reader =
            reader.map_err(|error| Error::invalid_file(&self.name, "a Parquet file", error))?;
        Ok(Box::new(reader))
    }
}
