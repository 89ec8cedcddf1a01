//! The result of encoding one text.

#[cfg(feature = "serde")]
mod serialize;
mod source;

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::pool::{self, Pooling};
use crate::tokenize::Truncation;
pub use source::Token;
pub(crate) use source::TokenSource;

/// A multi-vector embedding, `[tokens, dim]`: one row per token, or per cluster
/// of tokens after pooling.
///
/// With the cargo feature `serde` its vectors are serialized, as `dim` and
/// `data`; its tokens are not.
#[derive(Clone)]
pub struct Embedding {
    matrix: Array2<f32>,
    source: Option<TokenSource>,
}

impl Embedding {
    pub(crate) fn with_source(matrix: Array2<f32>, source: TokenSource) -> Self {
        Self {
            matrix,
            source: Some(source),
        }
    }

    /// Wraps stored vectors: `rows * dim` values, row-major. Such an embedding
    /// has no tokens and no truncation.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if the last row is incomplete.
    pub fn from_rows(data: Vec<f32>, dim: usize) -> Result<Self> {
        let found = data.len();
        let rows = found.checked_div(dim).unwrap_or(0);
        let matrix = Array2::from_shape_vec((rows, dim), data).map_err(|_| {
            let last_row = found.checked_rem(dim).unwrap_or(found);
            Error::dimension_mismatch(format_args!("last row of {found} values"), dim, last_row)
        })?;
        Ok(Self {
            matrix,
            source: None,
        })
    }

    /// One row, `[1, dim]`.
    pub(crate) fn of_row(row: Vec<f32>) -> Self {
        let shape = (1, row.len());
        Self {
            matrix: Array2::from_shape_vec(shape, row).unwrap_or_default(),
            source: None,
        }
    }

    /// Number of rows. A document that consists of skiplist words still has
    /// the rows of its special tokens.
    pub fn tokens(&self) -> usize {
        self.matrix.nrows()
    }

    /// Number of columns.
    pub fn dim(&self) -> usize {
        self.matrix.ncols()
    }

    /// The vectors, `[tokens, dim]`.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.matrix.view()
    }

    /// One row, `[dim]`.
    ///
    /// # Panics
    /// If `row` is not below [`tokens`](Self::tokens).
    pub fn row(&self, row: usize) -> ArrayView1<'_, f32> {
        self.matrix.row(row)
    }

    /// The values, row-major.
    pub fn as_slice(&self) -> &[f32] {
        // All constructors make row-major matrices.
        self.matrix.as_slice().unwrap_or_default()
    }

    /// The matrix, `[tokens, dim]`.
    pub fn into_matrix(self) -> Array2<f32> {
        self.matrix
    }

    /// The tokens behind a row: one, or the members of its cluster after
    /// pooling. Empty for stored vectors.
    ///
    /// # Panics
    /// If `row` is not below [`tokens`](Self::tokens).
    pub fn row_tokens(&self, row: usize) -> Vec<Token> {
        assert!(
            row < self.tokens(),
            "expected a row below {}, found {row}",
            self.tokens()
        );
        self.source
            .as_ref()
            .map(|source| source.tokens_of(row))
            .unwrap_or_default()
    }

    /// How much of the text was cut off; `None` for stored vectors.
    pub fn truncation(&self) -> Option<Truncation> {
        self.source.as_ref().map(TokenSource::truncation)
    }

    /// Pools rows by hierarchical clustering, see [`pool`](crate::pool).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a factor of 0.
    pub fn pooled(&self, pooling: Pooling) -> Result<Self> {
        pooling.check()?;
        let clusters = pool::clusters(self.view(), pooling);
        Ok(clusters.map_or_else(|| self.clone(), |clusters| self.merged(&clusters)))
    }

    /// As [`pooled`](Self::pooled), with the rows that each row is the mean of.
    ///
    /// # Errors
    /// Those of [`pooled`](Self::pooled).
    pub fn pooled_with_members(&self, pooling: Pooling) -> Result<(Self, Vec<Vec<usize>>)> {
        pooling.check()?;
        Ok(match pool::clusters(self.view(), pooling) {
            None => (
                self.clone(),
                (0..self.tokens()).map(|row| vec![row]).collect(),
            ),
            Some(clusters) => (self.merged(&clusters), clusters),
        })
    }

    fn merged(&self, clusters: &[Vec<usize>]) -> Self {
        Self {
            matrix: pool::means(self.view(), clusters),
            source: self.source.as_ref().map(|source| source.merged(clusters)),
        }
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding")
            .field("tokens", &self.tokens())
            .field("dim", &self.dim())
            .field("truncation", &self.truncation())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Embedding {
    /// Compares the vectors, not the tokens.
    fn eq(&self, other: &Self) -> bool {
        self.matrix == other.matrix
    }
}
