//! Table files, made of the streams of a partial file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use multivec::atomic_file::beside;

use super::{EMBEDDING, failed};
use crate::parquet_files::Writer;

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
        TableFormat::Parquet => {
            let mut writer = Writer::new(&mut out, schema, EMBEDDING)?;
            batches(partial, |batch| writer.write(&batch))?;
            writer.finish()?;
        }
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
