//! Arrays of embeddings, made one by one.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float32Array, LargeListArray, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields};
use multivec_core::corpus::VectorPrecision;
use multivec_core::{DenseEmbedding, Embedding, Error, Result, SparseEmbedding};

use crate::arrays::EmbeddingArrays;
use crate::rows::{FinishedRows, Rows, invalid, item};

/// Makes arrays of multi-vector embeddings: lists of rows.
#[derive(Debug)]
pub struct MultiVectorBuilder {
    rows: Rows,
    lists: Lists,
}

impl MultiVectorBuilder {
    /// Starts an array of rows of `dim` columns.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for more columns than the precision takes, and
    /// for none.
    pub fn new(dim: usize, precision: VectorPrecision) -> Result<Self> {
        Ok(Self {
            rows: Rows::new(dim, precision)?,
            lists: Lists::default(),
        })
    }

    /// The type of the arrays of embeddings.
    pub fn data_type(&self) -> DataType {
        DataType::LargeList(item(self.rows.row_type().clone()))
    }

    /// Adds an embedding, `[rows, dim]`. In 32-bit floats its numbers are copied
    /// as they are.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] for rows of another length. In less
    /// precision [`Error::NonFiniteVector`], and [`Error::InvalidOption`] for
    /// numbers that 16-bit floats cannot have. Positions count from the first
    /// embedding of the array. After an error nothing was added.
    pub fn push(&mut self, embedding: &Embedding) -> Result<()> {
        let (at, dim) = (self.len(), self.rows.dim());
        if embedding.dim() != dim && embedding.tokens() > 0 {
            let what = format_args!("embedding {at}");
            return Err(Error::dimension_mismatch(what, dim, embedding.dim()));
        }
        let pushed = self.rows.push(embedding.as_slice());
        pushed.map_err(|error| error.after(at))?;
        self.lists.push(embedding.tokens());
        Ok(())
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        self.lists.push_null();
    }

    /// The number of embeddings so far, nulls included.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the embeddings so far.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.lists.bytes()
    }

    /// Makes arrays of the embeddings so far. The builder is empty afterwards.
    ///
    /// # Errors
    /// None that is known; those of the arrays' own checks.
    pub fn finish(&mut self) -> Result<EmbeddingArrays> {
        let finished = self.rows.finish(None)?;
        let lists = self.lists.finish();
        let scales = finished.scales.map(|scales| -> Result<ArrayRef> {
            let scales = FinishedRows::scale_array(scales, None)?;
            Ok(Arc::new(lists.of(scales)?))
        });
        let values = EmbeddingArrays::new(Arc::new(lists.of(finished.rows)?));
        Ok(values.with_scales(scales.transpose()?))
    }
}

/// Makes arrays of dense embeddings: a row a text.
#[derive(Debug)]
pub struct DenseBuilder {
    rows: Rows,
    nulls: NullBufferBuilder,
}

impl DenseBuilder {
    /// Starts an array of rows of `dim` columns.
    ///
    /// # Errors
    /// Those of [`MultiVectorBuilder::new`].
    pub fn new(dim: usize, precision: VectorPrecision) -> Result<Self> {
        Ok(Self {
            rows: Rows::new(dim, precision)?,
            nulls: NullBufferBuilder::new(0),
        })
    }

    /// The type of the arrays of embeddings.
    pub fn data_type(&self) -> DataType {
        self.rows.row_type().clone()
    }

    /// Adds an embedding, `[dim]`. In 32-bit floats its numbers are copied as
    /// they are.
    ///
    /// # Errors
    /// Those of [`MultiVectorBuilder::push`].
    pub fn push(&mut self, embedding: &DenseEmbedding) -> Result<()> {
        let (at, dim) = (self.len(), self.rows.dim());
        if embedding.dim() != dim {
            let what = format_args!("embedding {at}");
            return Err(Error::dimension_mismatch(what, dim, embedding.dim()));
        }
        let pushed = self.rows.push(&embedding.values);
        pushed.map_err(|error| error.after(at))?;
        self.nulls.append_non_null();
        Ok(())
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        self.rows.push_null();
        self.nulls.append_null();
    }

    /// The number of embeddings so far, nulls included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the embeddings so far.
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Makes arrays of the embeddings so far. The builder is empty afterwards.
    ///
    /// # Errors
    /// Those of [`MultiVectorBuilder::finish`].
    pub fn finish(&mut self) -> Result<EmbeddingArrays> {
        let nulls = self.nulls.finish();
        let finished = self.rows.finish(nulls.clone())?;
        let scales = finished.scales.map(|scales| -> Result<ArrayRef> {
            Ok(Arc::new(FinishedRows::scale_array(scales, nulls)?))
        });
        let values = EmbeddingArrays::new(Arc::new(finished.rows));
        Ok(values.with_scales(scales.transpose()?))
    }
}

/// Makes arrays of sparse embeddings: indices and values of a text.
#[derive(Debug, Default)]
pub struct SparseBuilder {
    indices: Vec<u32>,
    values: Vec<f32>,
    lists: Lists,
}

impl SparseBuilder {
    /// Starts an array.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an embedding.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if there are not as many values as indices.
    pub fn push(&mut self, embedding: &SparseEmbedding) -> Result<()> {
        let [indices, values] = [embedding.indices.len(), embedding.values.len()];
        if indices != values {
            let what = format_args!("values of embedding {}", self.len());
            return Err(Error::dimension_mismatch(what, indices, values));
        }
        self.indices.extend_from_slice(&embedding.indices);
        self.values.extend_from_slice(&embedding.values);
        self.lists.push(indices);
        Ok(())
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        self.lists.push_null();
    }

    /// The number of embeddings so far, nulls included.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the embeddings so far.
    pub fn bytes(&self) -> usize {
        let pair = size_of::<u32>() + size_of::<f32>();
        self.values.len() * pair + self.lists.bytes()
    }

    /// Makes an array of the embeddings so far. The builder is empty afterwards.
    ///
    /// # Errors
    /// Those of [`MultiVectorBuilder::finish`].
    pub fn finish(&mut self) -> Result<EmbeddingArrays> {
        let lists = self.lists.finish();
        let indices = UInt32Array::from(std::mem::take(&mut self.indices));
        let values = Float32Array::from(std::mem::take(&mut self.values));
        let (indices, values) = (lists.of(indices)?, lists.of(values)?);
        let field = |name, list: &LargeListArray| Field::new(name, list.data_type().clone(), true);
        let fields = Fields::from(vec![field("indices", &indices), field("values", &values)]);
        let arrays: Vec<ArrayRef> = vec![Arc::new(indices), Arc::new(values)];
        let array = StructArray::try_new(fields, arrays, lists.nulls)
            .map_err(|error| invalid("as many values as indices", error))?;
        Ok(EmbeddingArrays::new(Arc::new(array)))
    }
}

/// Where lists end, and which of them are null.
#[derive(Debug)]
struct Lists {
    offsets: Vec<i64>,
    nulls: NullBufferBuilder,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl Lists {
    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice())
    }

    fn push(&mut self, items: usize) {
        self.end_after(items);
        self.nulls.append_non_null();
    }

    fn push_null(&mut self) {
        self.end_after(0);
        self.nulls.append_null();
    }

    fn end_after(&mut self, items: usize) {
        let before = self.offsets.last().copied().unwrap_or(0);
        // Items are in memory, so that there are less.
        self.offsets.push(before + items as i64);
    }

    fn finish(&mut self) -> FinishedLists {
        let mut lists = std::mem::take(self);
        FinishedLists {
            offsets: OffsetBuffer::new(ScalarBuffer::from(lists.offsets)),
            nulls: lists.nulls.finish(),
        }
    }
}

struct FinishedLists {
    offsets: OffsetBuffer<i64>,
    nulls: Option<NullBuffer>,
}

impl FinishedLists {
    /// Lists of these items.
    fn of(&self, items: impl Array + 'static) -> Result<LargeListArray> {
        let field = item(items.data_type().clone());
        let (offsets, nulls) = (self.offsets.clone(), self.nulls.clone());
        LargeListArray::try_new(field, offsets, Arc::new(items), nulls)
            .map_err(|error| invalid("lists of rows", error))
    }
}
