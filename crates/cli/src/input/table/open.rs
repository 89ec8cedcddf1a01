//! Tables as batches of the columns that are read, by their formats.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};
use multivec::{Error, Result};

use super::csv::Csv;
use super::{CHUNK, check_columns, failed, projection};
use crate::console::io_error;
use crate::input::format::{Columns, InputFormat};
use crate::ipc::{self, Ipc};
use crate::parquet_files::{Batches, Reader};

pub(super) struct Opened {
    /// All columns of the table.
    pub(super) schema: SchemaRef,
    pub(super) batches: Batches,
    /// Rows, where that is known.
    pub(super) rows: Option<usize>,
}

/// Opens a table with the columns that are read.
pub(super) fn open(
    name: &str,
    path: Option<&Path>,
    format: InputFormat,
    columns: &Columns,
) -> Result<Opened> {
    match format {
        InputFormat::Parquet => parquet(name, path, columns),
        InputFormat::Arrow => match path {
            Some(path) => arrow(name, open_file(name, path)?, columns),
            None => stream(name, Box::new(io::stdin().lock()), columns),
        },
        _ => {
            let input: Box<dyn Read> = match path {
                Some(path) => Box::new(open_file(name, path)?),
                None => Box::new(io::stdin().lock()),
            };
            let csv = Csv::open(input).map_err(|error| failed(name, error))?;
            let schema = csv.schema();
            check_columns(name, &schema, columns)?;
            let csv = csv.with_projection(projection(&schema, columns));
            Ok(Opened {
                schema,
                batches: Box::new(csv.map_err(|error| failed(name, error))?),
                rows: None,
            })
        }
    }
}

fn open_file(name: &str, path: &Path) -> Result<File> {
    File::open(path).map_err(|source| io_error(name, "reading", source))
}

fn parquet(name: &str, path: Option<&Path>, columns: &Columns) -> Result<Opened> {
    let reader = parquet_reader(name, path)?;
    let (schema, rows) = (reader.schema().clone(), reader.rows());
    check_columns(name, &schema, columns)?;
    let reader = reader.with_columns(projection(&schema, columns));
    Ok(Opened {
        schema,
        batches: reader.batches(CHUNK)?,
        rows,
    })
}

/// The batches of a Parquet file from a row on.
pub(super) fn parquet_from(
    name: &str,
    path: Option<&Path>,
    columns: &Columns,
    row: usize,
) -> Result<Batches> {
    let reader = parquet_reader(name, path)?;
    let columns = projection(reader.schema(), columns);
    reader.with_columns(columns).starting_at(row).batches(CHUNK)
}

fn parquet_reader(name: &str, path: Option<&Path>) -> Result<Reader> {
    let path = path.ok_or_else(|| {
        let expected = "a file, since Parquet cannot be read as a stream";
        Error::option("format", expected, "parquet of standard input")
    })?;
    Reader::open(name, path)
}

/// A file in Arrow's IPC format, or a stream in one.
fn arrow(name: &str, file: File, columns: &Columns) -> Result<Opened> {
    let fail = |source| io_error(name, "reading", source);
    let mut file = BufReader::new(file);
    let found = ipc::check(&mut file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Error::invalid_file(name, "a whole table", error),
        _ => fail(error),
    })?;
    if found == Ipc::Stream {
        return stream(name, Box::new(file), columns);
    }
    let invalid = |error: ArrowError| failed(name, error);
    let schema = FileReader::try_new(&mut file, None)
        .map_err(invalid)?
        .schema();
    check_columns(name, &schema, columns)?;
    file.rewind().map_err(fail)?;
    let reader = FileReader::try_new(file, Some(projection(&schema, columns)));
    Ok(Opened {
        batches: Box::new(reader.map_err(invalid)?),
        schema,
        rows: None,
    })
}

fn stream(name: &str, input: Box<dyn Read>, columns: &Columns) -> Result<Opened> {
    // Streams tell their columns at their start, so that all are read.
    let reader = StreamReader::try_new(BufReader::new(input), None);
    let reader = reader.map_err(|error| failed(name, error))?;
    let schema = reader.schema();
    check_columns(name, &schema, columns)?;
    let columns = projection(&schema, columns);
    let batches = reader.map(move |batch| batch?.project(&columns));
    Ok(Opened {
        schema,
        batches: Box::new(batches),
        rows: None,
    })
}
