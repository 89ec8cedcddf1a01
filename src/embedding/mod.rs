//! The result of encoding one text.

mod source;

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::pool::{self, Pooling};
use crate::tokenize::Truncation;
pub use source::Token;
pub(crate) use source::TokenSource;

/// A multi-vector embedding: one row a token (or a cluster of tokens, where it
/// was pooled), `[tokens, dim]`.
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

    /// Wraps vectors that were stored: `rows * dim` values, row-major. Such an
    /// embedding knows nothing of its text.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if the values do not fill whole rows.
    pub fn from_rows(data: Vec<f32>, dim: usize) -> Result<Self> {
        let found = data.len();
        let rows = found.checked_div(dim).unwrap_or(0);
        let matrix =
            Array2::from_shape_vec((rows, dim), data).map_err(|_| Error::DimensionMismatch {
                what: format!("a matrix of {found} values"),
                expected: dim,
                found: found.checked_rem(dim).unwrap_or(found),
            })?;
        Ok(Self {
            matrix,
            source: None,
        })
    }

    /// Number of rows. A document of nothing but skiplist words still has the
    /// rows of its special tokens.
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
        // Every constructor lays the rows out one after the other.
        self.matrix.as_slice().unwrap_or_default()
    }

    /// The matrix, `[tokens, dim]`.
    pub fn into_matrix(self) -> Array2<f32> {
        self.matrix
    }

    /// The tokens that a row stands for: one, or the members of its cluster
    /// where the embedding was pooled. Empty for vectors that were stored.
    ///
    /// # Panics
    /// If `row` is not below [`tokens`](Self::tokens).
    pub fn row_tokens(&self, row: usize) -> Vec<Token> {
        assert!(row < self.tokens(), "row {row} of {}", self.tokens());
        self.source
            .as_ref()
            .map(|source| source.tokens_of(row))
            .unwrap_or_default()
    }

    /// How much of the text did not fit; `None` for vectors that were stored.
    pub fn truncation(&self) -> Option<Truncation> {
        self.source.as_ref().map(TokenSource::truncation)
    }

    /// Pools rows by hierarchical clustering, see [`pool`](crate::pool).
    pub fn pooled(&self, pooling: Pooling) -> Self {
        match pool::clusters(self.view(), pooling) {
            None => self.clone(),
            Some(clusters) => Self {
                matrix: pool::means(self.view(), &clusters),
                source: self.source.as_ref().map(|source| source.merged(&clusters)),
            },
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
    /// Compares the vectors alone.
    fn eq(&self, other: &Self) -> bool {
        self.matrix == other.matrix
    }
}
