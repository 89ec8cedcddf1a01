//! Tables: rows of Parquet and Arrow files.
//!
//! A Parquet file ends with a footer, behind which nothing can be added. So the
//! partial file has Arrow streams, one for each batch of rows, which are written
//! as a table in the end.

mod file;
mod parts;

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use multivec::corpus::VectorPrecision;
use multivec::{Error, Result};
use multivec_arrow::{DenseBuilder, EmbeddingMetadata, MultiVectorBuilder, SparseBuilder};
use serde_json::Value;

use super::column::Column;
use super::journal::Identity;
use super::stored::{Stored, StoredKind};
use crate::input::{Kept, text_name};
pub(super) use file::{TableFormat, write};
pub(super) use parts::Parts;

/// Bytes of embeddings after which a batch ends.
const BATCH: usize = 16 << 20;

const INDEX: &str = "index";
const ID: &str = "id";
const EMBEDDING: &str = "embedding";
const TRUNCATED: &str = "truncated";
/// Names that no column can have that is kept.
const OWN: [&str; 5] = [INDEX, ID, EMBEDDING, "embedding_scale", TRUNCATED];

/// Starts the column of embeddings.
fn start_column(identity: &Identity, precision: VectorPrecision) -> Result<Column> {
    Ok(match identity.model {
        StoredKind::MultiVector => {
            Column::MultiVector(MultiVectorBuilder::new(identity.dim, precision)?)
        }
        StoredKind::Dense => Column::Dense(DenseBuilder::new(identity.dim, precision)?),
        StoredKind::Sparse if precision != VectorPrecision::F32 => {
            let expected = "f32 for sparse vectors";
            return Err(Error::option("vector_precision", expected, precision));
        }
        StoredKind::Sparse => Column::Sparse(SparseBuilder::new()),
        StoredKind::Hybrid => {
            let expected = "a name that ends in .safetensors or .jsonl for all kinds at once";
            return Err(Error::option("output", expected, "a table"));
        }
    })
}

/// Rows of a table that are not in its partial file yet.
pub(super) struct Rows {
    schema: SchemaRef,
    column: Column,
    indices: Vec<i64>,
    /// Those of lines; tables have theirs in what is kept.
    ids: Option<Vec<Option<String>>>,
    truncated: Vec<Option<bool>>,
    kept: Option<Kept>,
}

impl Rows {
    /// Starts a table of texts that come with such columns; `None` for lines.
    pub(super) fn new(identity: &Identity, kept: Option<&SchemaRef>) -> Result<Self> {
        let precision = precision(identity);
        let mut column = start_column(identity, precision)?;
        let mut fields = vec![Field::new(INDEX, DataType::Int64, false)];
        match kept {
            None => fields.push(Field::new(ID, DataType::Utf8, true)),
            Some(kept) => {
                for (at, field) in kept.fields().iter().enumerate() {
                    let name = field.name().as_str();
                    let is_id = at == 0 && name == ID;
                    if !is_id && (OWN.contains(&name) || fields.iter().any(|it| it.name() == name))
                    {
                        let expected = "names that are not those of other columns of the output";
                        return Err(Error::option("keep", expected, format!("`{name}`")));
                    }
                    fields.push(field.as_ref().clone());
                }
            }
        }
        let columns = column.finish()?.with_short_lists()?.columns(EMBEDDING);
        fields.extend(columns.into_iter().map(|(field, _)| field));
        fields.push(Field::new(TRUNCATED, DataType::Boolean, true));
        let metadata = metadata(identity, precision).to_map();
        Ok(Self {
            schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
            column,
            indices: Vec::new(),
            ids: kept.is_none().then(Vec::new),
            truncated: Vec::new(),
            kept: None,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Sets the columns that come with the texts that follow.
    pub(super) fn start(&mut self, kept: Option<Kept>) {
        self.kept = kept;
    }

    /// Adds a text; after an error nothing was added.
    pub(super) fn push(
        &mut self,
        index: usize,
        id: Option<&Value>,
        embedding: &impl Stored,
    ) -> Result<()> {
        embedding.push_to(&mut self.column)?;
        self.push_text(index, id);
        let truncated = embedding.truncation().is_truncated();
        self.truncated.push(Some(truncated));
        Ok(())
    }

    /// Adds a text that is null.
    pub(super) fn push_null(&mut self, index: usize, id: Option<&Value>) {
        self.column.push_null();
        self.push_text(index, id);
        self.truncated.push(None);
    }

    fn push_text(&mut self, index: usize, id: Option<&Value>) {
        self.indices.push(index as i64);
        if let Some(ids) = &mut self.ids {
            let id = id.filter(|id| !id.is_null());
            ids.push(id.map(|id| text_name(index, id)));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.column.bytes() >= BATCH
    }

    /// The rows so far as an Arrow stream; nothing if there are none.
    pub(super) fn take(&mut self) -> io::Result<Vec<u8>> {
        if self.indices.is_empty() {
            return Ok(Vec::new());
        }
        let batch = self.batch().map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        let write = |bytes: &mut Vec<u8>| {
            let mut stream = StreamWriter::try_new(bytes, batch.schema_ref())?;
            stream.write(&batch)?;
            stream.finish()
        };
        write(&mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }

    fn batch(&mut self) -> Result<RecordBatch, Source> {
        let embeddings = self.column.finish()?.with_short_lists()?;
        let indices = std::mem::take(&mut self.indices);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(indices.clone()))];
        if let Some(ids) = &mut self.ids {
            columns.push(Arc::new(StringArray::from(std::mem::take(ids))));
        } else if let Some(Kept { rows, first }) = &self.kept {
            let places = indices.iter().map(|&index| index as u64 - *first as u64);
            let places = UInt64Array::from_iter_values(places);
            for column in rows.columns() {
                columns.push(take(column, &places, None)?);
            }
        }
        let embeddings = embeddings.columns(EMBEDDING);
        columns.extend(embeddings.into_iter().map(|(_, array)| array));
        let truncated = std::mem::take(&mut self.truncated);
        columns.push(Arc::new(BooleanArray::from(truncated)));
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

fn precision(identity: &Identity) -> VectorPrecision {
    let store = identity.store.as_deref();
    let mut all = VectorPrecision::ALL.into_iter();
    all.find(|precision| Some(precision.name()) == store)
        .unwrap_or_default()
}

fn metadata(identity: &Identity, precision: VectorPrecision) -> EmbeddingMetadata {
    let origin = identity.origin.as_deref();
    let parts = origin.map(|origin| origin.rsplit_once('@').unwrap_or((origin, "")));
    let mut metadata = EmbeddingMetadata::default();
    metadata.kind = Some(identity.model.name().to_owned());
    metadata.space = Some(identity.space.clone());
    metadata.computed = Some(identity.computed.clone());
    metadata.model = parts.map(|(model, _)| model.to_owned());
    let revision = parts.map(|(_, revision)| revision.to_owned());
    metadata.revision = revision.filter(|revision| !revision.is_empty());
    metadata.precision = Some(precision.name().to_owned());
    metadata.pooling = identity.pooling;
    metadata.texts = Some(identity.kind.clone());
    metadata.dim = Some(identity.dim);
    metadata
}

/// An error of Arrow as one of writing a file.
fn failed(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}
