//! Comma-separated values, as batches of strings.

use std::io::Read;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::CHUNK;

/// Bytes after which a batch ends.
const BATCH_BYTES: usize = 4 << 20;

pub(super) struct Csv {
    records: csv::Reader<Box<dyn Read>>,
    schema: SchemaRef,
    /// The columns that are read.
    columns: Vec<usize>,
}

impl Csv {
    /// Reads the names of the columns.
    pub(super) fn open(input: Box<dyn Read>) -> Result<Self, ArrowError> {
        let mut records = csv::Reader::from_reader(input);
        let names = records.headers().map_err(failed)?;
        let fields = names
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, false));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            columns: (0..schema.fields().len()).collect(),
            schema,
            records,
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads these columns alone.
    pub(super) fn with_projection(mut self, columns: Vec<usize>) -> Result<Self, ArrowError> {
        self.schema = Arc::new(self.schema.project(&columns)?);
        self.columns = columns;
        Ok(self)
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let mut columns: Vec<Vec<String>> = vec![Vec::new(); self.columns.len()];
        let (mut record, mut rows, mut bytes) = (csv::StringRecord::new(), 0, 0);
        while rows < CHUNK && bytes < BATCH_BYTES {
            if !self.records.read_record(&mut record).map_err(failed)? {
                break;
            }
            for (&at, column) in self.columns.iter().zip(&mut columns) {
                // Records have as many fields as the first one.
                let value = record.get(at).unwrap_or_default();
                bytes += value.len();
                column.push(value.to_owned());
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = columns.into_iter();
        let columns = columns.map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        RecordBatch::try_new(self.schema.clone(), columns.collect()).map(Some)
    }
}

impl Iterator for Csv {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn failed(error: csv::Error) -> ArrowError {
    let message = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => ArrowError::IoError(message, source),
        _ => ArrowError::CsvError(message),
    }
}
