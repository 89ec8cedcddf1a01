//! What a program without Parquet has in its place: errors.

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use multivec::{Error, Result};

use super::{Batches, EXPECTED};

/// No file can be opened.
pub(crate) struct Reader(Infallible);

impl Reader {
    pub(crate) fn open(name: &str, _: &Path) -> Result<Self> {
        Err(Error::invalid_file(name, EXPECTED, "one without it"))
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        match self.0 {}
    }

    pub(crate) fn rows(&self) -> Option<usize> {
        match self.0 {}
    }

    pub(crate) fn starting_at(self, _: usize) -> Self {
        match self.0 {}
    }

    pub(crate) fn with_columns(self, _: Vec<usize>) -> Self {
        match self.0 {}
    }

    pub(crate) fn batches(self, _: usize) -> Result<Batches> {
        match self.0 {}
    }
}

/// No file can be written.
pub(crate) struct Writer(Infallible);

impl Writer {
    pub(crate) fn new(_: impl Write + Send, _: &SchemaRef, _: &str) -> io::Result<Self> {
        let message = format!("expected {EXPECTED}, found one without it");
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }

    pub(crate) fn write(&mut self, _: &RecordBatch) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        match self.0 {}
    }
}
