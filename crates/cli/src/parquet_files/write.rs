//! Parquet files out of tables with embeddings.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Most rows of a row group.
const GROUP_ROWS: usize = 1 << 16;

/// Bytes after which a row group ends.
const GROUP_BYTES: usize = 64 << 20;

/// A file in progress.
pub(crate) struct Writer<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> Writer<W> {
    /// Starts a file, of which the column `embedding` has embeddings.
    pub(crate) fn new(out: W, schema: &SchemaRef, embedding: &str) -> io::Result<Self> {
        let properties = properties(schema, embedding).map_err(failed)?;
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
        Ok(Self(writer.map_err(failed)?))
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.0.write(batch).map_err(failed)?;
        if self.0.in_progress_size() >= GROUP_BYTES {
            self.0.flush().map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.close().map_err(failed).map(drop)
    }
}

/// Numbers of embeddings hardly repeat, so that only those of a byte have a
/// dictionary, which makes them bytes: Parquet has no integers of fewer than 32
/// bits. They are not compressed, and have no minima and maxima.
fn properties(schema: &SchemaRef, embedding: &str) -> Result<WriterProperties, ParquetError> {
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for column in columns.columns() {
        let path = column.path().clone();
        if path.parts().first().is_some_and(|name| name == embedding) {
            let is_byte = column.physical_type() == Type::INT32 && !is_indices(path.parts());
            properties = properties
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                .set_column_dictionary_enabled(path.clone(), is_byte)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    let metadata = schema.metadata().iter();
    let mut metadata: Vec<KeyValue> = metadata
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect();
    metadata.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(properties.set_key_value_metadata(Some(metadata)).build())
}

/// Whether a column has the tokens of sparse embeddings.
fn is_indices(path: &[String]) -> bool {
    path.get(1).is_some_and(|name| name == "indices")
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
