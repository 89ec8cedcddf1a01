//! Texts of tables: Parquet, Arrow and CSV, read batch by batch.

mod csv;
mod ids;
mod open;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use multivec::{Error, Result};
use multivec_arrow::Texts;

use super::chunk::{CHUNK, CHUNK_BYTES, Chunk, InputText, Kept, NullText};
use super::format::{Columns, InputFormat};
use super::hash::hash_file;
use super::share::Members;
use crate::console::io_error;
use crate::guard::guarded;
use crate::parquet_files::Batches;
pub(crate) use ids::Ids;

/// The name of the column of ids in outputs.
const ID: &str = "id";

pub(super) struct Table {
    name: String,
    path: Option<PathBuf>,
    format: InputFormat,
    columns: Columns,
    schema: SchemaRef,
    batches: Batches,
    /// Rows of the file, where that is known.
    size: Option<usize>,
    open: Option<RecordBatch>,
    /// Rows of the open batch that have been read.
    at: usize,
    /// Rows of the file that have been read.
    row: usize,
    /// The position of the next text in the input.
    texts: usize,
    members: Members,
    hash: OnceCell<String>,
}

impl Table {
    /// Opens a file, or standard input, and checks its columns.
    pub(super) fn open(
        name: String,
        path: Option<&Path>,
        format: InputFormat,
        columns: &Columns,
    ) -> Result<Self> {
        let opened = guarded(&name, || open::open(&name, path, format, columns))?;
        let table = Self {
            name,
            path: path.map(Path::to_owned),
            format,
            columns: columns.clone(),
            schema: opened.schema,
            batches: opened.batches,
            size: opened.rows,
            open: None,
            at: 0,
            row: 0,
            texts: 0,
            members: Members::All,
            hash: OnceCell::new(),
        };
        table.check()?;
        Ok(table)
    }

    fn check(&self) -> Result<()> {
        let empty = |field: &Field| new_empty_array(field.data_type());
        if let Ok(field) = self.schema.field_with_name(&self.columns.text) {
            Texts::new(field.name(), &empty(field)).map_err(|error| self.named(error))?;
        }
        if let Some(field) = self.id_field() {
            Ids::new(field.name(), &empty(field)).map_err(|error| self.named(error))?;
        }
        Ok(())
    }

    fn id_field(&self) -> Option<&Field> {
        self.schema.field_with_name(self.columns.id()).ok()
    }

    /// Sets the position of the first text, and which are read.
    pub(super) fn with_members(mut self, first: usize, members: Members) -> Self {
        (self.texts, self.members) = (first, members);
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows read so far.
    pub(super) fn rows(&self) -> usize {
        self.row
    }

    /// The position of the next text in the input.
    pub(super) fn texts(&self) -> usize {
        self.texts
    }

    /// The share that has been read.
    pub(super) fn done(&self) -> f64 {
        let size = self.size.filter(|&size| size > 0);
        size.map_or(0., |size| self.row as f64 / size as f64)
    }

    /// The hash of the file's content, which is read once for it.
    pub(super) fn hash(&self) -> Result<String> {
        if let Some(hash) = self.hash.get() {
            return Ok(hash.clone());
        }
        let Some(path) = &self.path else {
            return Ok(String::new());
        };
        let hash = hash_file(path).map_err(|source| io_error(&self.name, "reading", source))?;
        Ok(self.hash.get_or_init(|| hash).clone())
    }

    /// The fields of what is kept: of ids, where there are any, and of the
    /// columns that are named.
    pub(super) fn kept(&self) -> SchemaRef {
        let field = |name: &str, field: &Field| Field::new(name, plain_type(field), true);
        let id = self.id_field().map(|id| field(ID, id));
        let keep = self.columns.keep.iter();
        let keep =
            keep.filter_map(|name| Some(field(name, self.schema.field_with_name(name).ok()?)));
        Arc::new(Schema::new(id.into_iter().chain(keep).collect::<Vec<_>>()))
    }

    /// The number of rows in the file; reads it to the end unless that is known.
    pub(super) fn count(&mut self) -> Result<usize> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let mut rows = self.row;
        while let Some(batch) = self.read_batch()? {
            rows += batch.num_rows();
        }
        Ok(rows)
    }

    /// Skips rows from the start on; `false` if there are not as many.
    pub(super) fn skip(&mut self, rows: usize) -> Result<bool> {
        if self.format == InputFormat::Parquet {
            // From a multiple on, so that batches end where they did.
            let start = rows / CHUNK * CHUNK;
            let path = self.path.as_deref();
            self.batches = open::parquet_from(&self.name, path, &self.columns, start)?;
            self.row = start;
        }
        while self.row < rows {
            if !self.next_batch()? {
                return Ok(false);
            }
            let left = self
                .open
                .as_ref()
                .map_or(0, |batch| batch.num_rows() - self.at);
            let read = left.min(rows - self.row);
            self.at += read;
            self.row += read;
        }
        Ok(true)
    }

    /// Makes sure that a batch with rows that were not read is open; `false` at
    /// the end.
    fn next_batch(&mut self) -> Result<bool> {
        loop {
            if self
                .open
                .as_ref()
                .is_some_and(|batch| self.at < batch.num_rows())
            {
                return Ok(true);
            }
            self.open = None;
            self.at = 0;
            match self.read_batch()? {
                Some(batch) => self.open = Some(batch),
                None => return Ok(false),
            }
        }
    }

    fn read_batch(&mut self) -> Result<Option<RecordBatch>> {
        let (name, batches) = (&self.name, &mut self.batches);
        guarded(name, || {
            let batch = batches.next().transpose();
            batch.map_err(|error| failed(name, error))
        })
    }

    /// Reads the next rows that are members; none at the end.
    pub(super) fn read_chunk(&mut self) -> Result<Chunk> {
        loop {
            if !self.next_batch()? {
                return Ok(Chunk::default());
            }
            let Some(batch) = self.open.clone() else {
                return Ok(Chunk::default());
            };
            let chunk = self.read_rows(&batch)?;
            if !chunk.is_empty() {
                return Ok(chunk);
            }
        }
    }

    /// Reads rows of the open batch, up to the size of a chunk.
    fn read_rows(&mut self, batch: &RecordBatch) -> Result<Chunk> {
        let texts = self.column(batch, &self.columns.text)?;
        let texts = Texts::new(&self.columns.text, &texts).map_err(|error| self.named(error))?;
        let id_array = self.column(batch, self.columns.id()).ok();
        let ids = id_array
            .as_ref()
            .map(|array| Ids::new(self.columns.id(), array))
            .transpose()
            .map_err(|error| self.named(error))?;
        let (mut chunk, mut bytes) = (Chunk::default(), 0);
        let (start, first) = (self.at, self.texts);
        while self.at < batch.num_rows() && self.at - start < CHUNK && bytes < CHUNK_BYTES {
            let (at, index) = (self.at, self.texts);
            self.at += 1;
            self.row += 1;
            self.texts += 1;
            if !self.members.contain(index) {
                continue;
            }
            let id = ids.as_ref().and_then(|ids| ids.get(at));
            match texts.get(at) {
                Some(text) => {
                    bytes += text.len() as u64;
                    chunk.texts.push(InputText {
                        text: text.to_owned(),
                        id,
                        file: 0,
                        index,
                        line: self.row,
                    });
                }
                None => chunk.nulls.push(NullText {
                    id,
                    index,
                    line: self.row,
                }),
            }
        }
        chunk.kept = Some(Kept {
            rows: self.kept_rows(batch)?.slice(start, self.at - start),
            first,
        });
        Ok(chunk)
    }

    fn kept_rows(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.kept();
        let id = self.id_field().map(|_| self.columns.id());
        let names = id
            .into_iter()
            .chain(self.columns.keep.iter().map(String::as_str));
        let columns: Vec<ArrayRef> = names
            .map(|name| plain(self.column(batch, name)?).map_err(|error| failed(&self.name, error)))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| failed(&self.name, error))
    }

    fn column(&self, batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
        batch
            .column_by_name(name)
            .cloned()
            .ok_or_else(|| Error::invalid_file(&self.name, format!("a column `{name}`"), "none"))
    }

    /// An error about a column, with the file.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::InvalidFile {
                file,
                expected,
                found,
                ..
            } => Error::invalid_file(format!("{}: {file}", self.name), expected, found),
            other => other,
        }
    }
}

/// The type of a column that is kept: batches of a file may have dictionaries of
/// their own, which not every output can have.
fn plain_type(field: &Field) -> DataType {
    match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    }
}

/// A column with its values in the place of a dictionary's keys.
fn plain(column: ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None),
        None => Ok(column),
    }
}

/// A table that cannot be read.
fn failed(name: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => io_error(name, "reading", source),
        other => Error::invalid_file(name, "a whole table", other),
    }
}

/// Refuses columns that a table does not have, and names those that it has.
fn check_columns(name: &str, schema: &Schema, columns: &Columns) -> Result<()> {
    let wanted = [
        ("text_column", Some(&columns.text)),
        ("id_column", columns.named_id.as_ref()),
    ];
    let wanted = wanted
        .into_iter()
        .filter_map(|(option, column)| Some((option, column?)));
    let keep = columns.keep.iter().map(|column| ("keep", column));
    for (option, column) in wanted.chain(keep) {
        if schema.field_with_name(column).is_err() {
            let names = schema.fields().iter();
            let names: Vec<String> = names.map(|field| format!("`{}`", field.name())).collect();
            let expected = match names.as_slice() {
                [] => format!("a column of {name}, which has none"),
                _ => format!("a column of {name}, which has {}", names.join(", ")),
            };
            return Err(Error::option(option, expected, format!("`{column}`")));
        }
    }
    Ok(())
}

/// The positions of the columns that are read.
fn projection(schema: &Schema, columns: &Columns) -> Vec<usize> {
    let names = [columns.text.as_str(), columns.id()];
    let names = names
        .into_iter()
        .chain(columns.keep.iter().map(String::as_str));
    let mut positions: Vec<usize> = names
        .filter_map(|name| schema.index_of(name).ok())
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

#[cfg(test)]
#[cfg(feature = "parquet")]
mod tests;
