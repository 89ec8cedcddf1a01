//! Table files, made of the streams of a partial file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use multivec::atomic_file::beside;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{EMBEDDING, failed};

/// Most rows of a row group.
const GROUP_ROWS: usize = 1 << 16;

/// Bytes after which a row group ends.
const GROUP_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFormat {
    Parquet,
    /// Arrow's IPC format of files.
    Arrow,
}

/// Writes a file to `path`, of all streams in `partial` from its position on.
pub(crate) fn write(
    path: &Path,
    format: TableFormat,
    schema: &SchemaRef,
    partial: &mut File,
) -> io::Result<()> {
    let file = beside(path)?;
    let mut out = BufWriter::new(file.as_file());
    match format {
        TableFormat::Parquet => write_parquet(&mut out, schema, partial)?,
        TableFormat::Arrow => {
            let mut writer = FileWriter::try_new(&mut out, schema).map_err(failed)?;
            batches(partial, |batch| writer.write(&batch).map_err(failed))?;
            writer.finish().map_err(failed)?;
        }
    }
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn write_parquet(
    out: &mut (impl Write + Send),
    schema: &SchemaRef,
    partial: &mut File,
) -> io::Result<()> {
    let properties = properties(schema).map_err(of_parquet)?;
    let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
    let mut writer = writer.map_err(of_parquet)?;
    batches(partial, |batch| {
        writer.write(&batch).map_err(of_parquet)?;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush().map_err(of_parquet)?;
        }
        Ok(())
    })?;
    writer.close().map_err(of_parquet).map(drop)
}

/// Numbers of embeddings hardly repeat, so that only those of a byte have a
/// dictionary, which makes them bytes: Parquet has no integers of fewer than 32
/// bits. They are not compressed, and have no minima and maxima.
fn properties(schema: &SchemaRef) -> Result<WriterProperties, ParquetError> {
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for column in columns.columns() {
        let path = column.path().clone();
        if path.parts().first().is_some_and(|name| name == EMBEDDING) {
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

/// Calls `visit` with each batch of the streams.
fn batches(
    partial: &mut File,
    mut visit: impl FnMut(RecordBatch) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = BufReader::new(partial);
    while !input.fill_buf()?.is_empty() {
        let stream = StreamReader::try_new(&mut input, None).map_err(failed)?;
        for batch in stream {
            visit(batch.map_err(failed)?)?;
        }
    }
    Ok(())
}

fn of_parquet(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
