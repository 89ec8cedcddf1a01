//! Embeddings in arrays.

use arrow_array::ArrayRef;
use arrow_schema::Field;

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
