//! Corpora out of tables of multi-vectors, as `encode` writes them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use arrow_array::ArrayRef;
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, Schema, SchemaRef};
use multivec::corpus::{Corpus, CorpusSpace, CorpusWriter, VectorPrecision};
use multivec::{Error, Result};
use multivec_arrow::{EmbeddingArrays, EmbeddingMetadata};
use serde_json::Value;

use crate::console::io_error;
use crate::guard::guarded;
use crate::input::{Ids, InputFormat, text_name};
use crate::ipc::{self, Ipc};
use crate::parquet_files::{Batches, Reader};

/// Texts of a batch.
const BATCH: usize = 256;

const ID: &str = "id";
const EMBEDDING: &str = "embedding";
const SCALE: &str = "embedding_scale";

/// Reads all vectors of a Parquet or Arrow file into memory. Texts without an id
/// have their row as one, from 0; those that are null are left out.
pub(crate) fn read(path: &Path) -> Result<Corpus> {
    let name = path.display().to_string();
    guarded(&name, || read_all(path, &name))
}

fn read_all(path: &Path, name: &str) -> Result<Corpus> {
    let Opened { schema, batches } = open(path, name)?;
    let space = space(name, &schema)?;
    let dim = space.dim;
    let mut writer = CorpusWriter::new(Vec::new(), space)?;
    let mut row = 0;
    for batch in batches {
        let batch = batch.map_err(|error| invalid(name, "a whole table", error))?;
        let column = |column: &str| batch.column_by_name(column).cloned();
        let values = column(EMBEDDING).ok_or_else(|| without(name))?;
        let arrays = EmbeddingArrays::new(values).with_scales(column(SCALE));
        let id_array: Option<ArrayRef> = column(ID);
        let ids = id_array.as_ref().map(|array| Ids::new(ID, array));
        let ids = ids.transpose().map_err(|error| error_of(name, error))?;
        let embeddings = arrays.multi_vectors(dim);
        let embeddings = embeddings.map_err(|error| error_of(name, error))?;
        for (at, embedding) in embeddings.into_iter().enumerate() {
            let id = ids.as_ref().and_then(|ids| ids.get(at));
            if let Some(embedding) = embedding {
                let id = text_name(row, &id.unwrap_or(Value::Null));
                writer.push(&id, &embedding)?;
            }
            row += 1;
        }
    }
    Corpus::parse(name, writer.finish()?)
}

struct Opened {
    schema: SchemaRef,
    batches: Batches,
}

fn open(path: &Path, name: &str) -> Result<Opened> {
    if InputFormat::of_name(path) == InputFormat::Parquet {
        let reader = Reader::open(name, path)?;
        return Ok(Opened {
            schema: reader.schema().clone(),
            batches: reader.batches(BATCH)?,
        });
    }
    let file = File::open(path).map_err(|source| io_error(name, "reading", source))?;
    let mut file = BufReader::new(file);
    let found = ipc::check(&mut file).map_err(|error| invalid(name, "a whole table", error))?;
    if found == Ipc::Stream {
        let expected = "Arrow's IPC format of files";
        return Err(invalid(name, expected, "its format of streams"));
    }
    let reader = FileReader::try_new(file, None);
    let reader = reader.map_err(|error| invalid(name, "a file in Arrow's IPC format", error))?;
    Ok(Opened {
        schema: reader.schema(),
        batches: Box::new(reader),
    })
}

/// What the schema and its metadata say of the vectors.
fn space(name: &str, schema: &Schema) -> Result<CorpusSpace> {
    let metadata = EmbeddingMetadata::from_map(schema.metadata());
    let metadata = metadata.map_err(|error| error_of(name, error))?;
    let field = schema
        .field_with_name(EMBEDDING)
        .map_err(|_| without(name))?;
    let rows = match field.data_type() {
        DataType::List(rows) | DataType::LargeList(rows) => rows.data_type(),
        other => return Err(invalid(name, "multi-vectors, lists of rows", other)),
    };
    let DataType::FixedSizeList(item, size) = rows else {
        return Err(invalid(name, "rows of one size, FixedSizeList", rows));
    };
    let size = usize::try_from(*size).unwrap_or(0);
    let (precision, dim) = match item.data_type() {
        DataType::Float32 => (VectorPrecision::F32, size),
        DataType::Float16 => (VectorPrecision::F16, size),
        DataType::Int8 => (VectorPrecision::Int8, size),
        DataType::UInt8 => (VectorPrecision::Bits, 8 * size),
        other => {
            let expected = "rows of Float32, Float16, Int8 or UInt8";
            return Err(invalid(name, expected, other));
        }
    };
    Ok(CorpusSpace::new(metadata.dim.unwrap_or(dim))
        .with_precision(precision)
        .with_space(metadata.space.unwrap_or_default()))
}

fn without(name: &str) -> Error {
    invalid(name, format!("a column `{EMBEDDING}`"), "none")
}

fn invalid(name: &str, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Error {
    Error::invalid_file(name, expected, found)
}

/// An error about arrays, with the file.
fn error_of(name: &str, error: Error) -> Error {
    match error {
        Error::InvalidFile {
            file,
            expected,
            found,
            ..
        } => invalid(&format!("{name}: {file}"), expected, found),
        other => other,
    }
}
