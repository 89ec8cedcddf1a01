//! A weight for each of a few tokens of the vocabulary.

mod static_weights;
mod token_weights;

use crate::error::{Error, Result};
use crate::tokenize::Truncation;
pub(crate) use static_weights::StaticWeights;
pub(crate) use token_weights::TokenWeights;

/// A sparse embedding of one text: the tokens with a weight above 0.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SparseEmbedding {
    /// Ids of tokens, ascending.
    pub indices: Vec<u32>,
    /// The weight of each.
    pub values: Vec<f32>,
    /// Columns of the vector that these are taken from.
    pub dim: usize,
    /// How much of the text was cut off; `None` for stored vectors.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub truncation: Option<Truncation>,
}

impl SparseEmbedding {
    /// Wraps stored weights.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if there are not as many values as indices,
    /// [`Error::InvalidOption`] if the indices do not ascend or are not below
    /// `dim`.
    pub fn new(indices: Vec<u32>, values: Vec<f32>, dim: usize) -> Result<Self> {
        if indices.len() != values.len() {
            return Err(Error::dimension_mismatch(
                "values",
                indices.len(),
                values.len(),
            ));
        }
        if let Some(pair) = indices.windows(2).find(|pair| pair[0] >= pair[1]) {
            let found = format!("{} before {}", pair[0], pair[1]);
            return Err(Error::option("indices", "ascending ones", found));
        }
        if let Some(&last) = indices.last()
            && last as usize >= dim
        {
            return Err(Error::option("indices", format!("less than {dim}"), last));
        }
        Ok(Self {
            indices,
            values,
            dim,
            truncation: None,
        })
    }

    /// The weights of a whole row that are not 0.
    pub(crate) fn of_row<'a>(row: impl ExactSizeIterator<Item = &'a f32>) -> Self {
        let dim = row.len();
        let weights = (0u32..).zip(row).filter(|(_, value)| **value != 0.);
        let (indices, values) = weights.map(|(index, &value)| (index, value)).unzip();
        Self {
            indices,
            values,
            dim,
            truncation: None,
        }
    }

    /// How many tokens have a weight.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether no token has one.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The `count` largest weights; of equal ones those with smaller indices.
    #[must_use]
    pub fn top_k(&self, count: usize) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&one, &other| self.values[other].total_cmp(&self.values[one]));
        order.truncate(count);
        order.sort_unstable();
        Self {
            indices: order.iter().map(|&at| self.indices[at]).collect(),
            values: order.iter().map(|&at| self.values[at]).collect(),
            ..self.clone()
        }
    }

    /// The dot product.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if they are of different vocabularies.
    pub fn dot(&self, other: &Self) -> Result<f32> {
        if self.dim != other.dim {
            return Err(Error::dimension_mismatch("embedding", self.dim, other.dim));
        }
        let mut others = other.indices.iter().zip(&other.values).peekable();
        let mut sum = 0.;
        for (index, value) in self.indices.iter().zip(&self.values) {
            while others.next_if(|(found, _)| *found < index).is_some() {}
            if let Some((_, found)) = others.next_if(|(found, _)| *found == index) {
                sum += value * found;
            }
        }
        Ok(sum)
    }

    /// The whole row, `[dim]`.
    pub fn to_dense(&self) -> Vec<f32> {
        let mut row = vec![0.; self.dim];
        for (&index, &value) in self.indices.iter().zip(&self.values) {
            row[index as usize] = value;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(row: &[f32]) -> SparseEmbedding {
        SparseEmbedding::of_row(row.iter())
    }

    #[test]
    fn rows_become_indices_and_values() {
        let found = embedding(&[0., 2., 0., 0.5]);
        assert_eq!(found.indices, [1, 3]);
        assert_eq!(found.values, [2., 0.5]);
        assert_eq!(found.to_dense(), [0., 2., 0., 0.5]);
        assert_eq!(found.len(), 2);
        assert!(embedding(&[0., 0.]).is_empty());
    }

    #[test]
    fn dot_products_are_those_of_whole_rows() {
        let (left, right) = (embedding(&[0., 2., 3., 0.5]), embedding(&[1., 4., 0., 2.]));
        assert_eq!(left.dot(&right).expect("both have 4 columns"), 9.);
        assert!(left.dot(&embedding(&[1.])).is_err());
    }

    #[test]
    fn the_largest_weights_are_kept_in_order() {
        let found = embedding(&[1., 3., 1., 0., 2.]).top_k(3);
        assert_eq!(found.indices, [0, 1, 4]);
        assert_eq!(found.values, [1., 3., 2.]);
        assert!(found.top_k(0).is_empty());
    }

    #[test]
    fn stored_weights_are_checked() {
        assert!(SparseEmbedding::new(vec![1, 3], vec![1., 2.], 4).is_ok());
        assert!(SparseEmbedding::new(vec![3, 1], vec![1., 2.], 4).is_err());
        assert!(SparseEmbedding::new(vec![1, 1], vec![1., 2.], 4).is_err());
        assert!(SparseEmbedding::new(vec![1, 4], vec![1., 2.], 4).is_err());
        assert!(SparseEmbedding::new(vec![1], vec![1., 2.], 4).is_err());
    }
}
