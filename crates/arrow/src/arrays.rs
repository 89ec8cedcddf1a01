//! Embeddings in arrays.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::Field;
use multivec_core::{Error, Result};

use crate::rows::item;

/// Embeddings of a column, one a text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmbeddingArrays {
    /// The embeddings, in the layout of their kind.
    pub values: ArrayRef,
    /// The scales of rows, where the precision is `int8`: `LargeList<Float32>` of
    /// multi-vectors, `Float32` of dense vectors.
    pub scales: Option<ArrayRef>,
}

impl EmbeddingArrays {
    /// Puts arrays together that [`embeddings`](Self::multi_vectors) are read from.
    pub fn new(values: ArrayRef) -> Self {
        Self {
            values,
            scales: None,
        }
    }

    /// Sets the scales.
    #[must_use]
    pub fn with_scales(mut self, scales: Option<ArrayRef>) -> Self {
        self.scales = scales;
        self
    }

    /// The arrays with their fields: the embeddings under `name`, and behind
    /// them, where there are scales, these under `NAME_scale`.
    pub fn columns(&self, name: &str) -> Vec<(Field, ArrayRef)> {
        let names = [name.to_owned(), scale_column(name)];
        let arrays = [Some(&self.values), self.scales.as_ref()];
        let columns = names.into_iter().zip(arrays);
        columns
            .filter_map(|(name, array)| {
                let array = array?.clone();
                Some((Field::new(name, array.data_type().clone(), true), array))
            })
            .collect()
    }

    /// The same with `List` in the place of `LargeList`, for libraries that
    /// search lists with 32-bit offsets alone. Rows are not copied. Sparse
    /// embeddings stay as they are.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for more than `i32::MAX` rows.
    pub fn with_short_lists(self) -> Result<Self> {
        let scales = self.scales.map(short).transpose()?;
        Ok(Self::new(short(self.values)?).with_scales(scales))
    }

    /// The number of texts, nulls included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The name of the column of scales.
fn scale_column(name: &str) -> String {
    format!("{name}_scale")
}

/// An array of `LargeList` as one of `List`; others as they are.
fn short(array: ArrayRef) -> Result<ArrayRef> {
    let Some(lists) = array.as_list_opt::<i64>() else {
        return Ok(array);
    };
    let offsets = lists.offsets().iter().map(|&at| i32::try_from(at));
    let offsets: Result<Vec<i32>, _> = offsets.collect();
    let offsets = offsets.map_err(|_| {
        let last = lists.offsets().last().copied().unwrap_or(0);
        let expected = format!("at most {} rows", i32::MAX);
        Error::invalid_file("array of embeddings", expected, last)
    })?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let (items, nulls) = (lists.values().clone(), lists.nulls().cloned());
    let field = item(items.data_type().clone());
    let lists = ListArray::try_new(field, offsets, items, nulls)
        .map_err(|error| Error::invalid_file("array of embeddings", "lists of rows", error))?;
    Ok(Arc::new(lists))
}
