//! The column of embeddings of a table, by their kind.

use multivec::Result;
use multivec_arrow::{DenseBuilder, EmbeddingArrays, MultiVectorBuilder, SparseBuilder};

/// A column in progress.
pub(crate) enum Column {
    MultiVector(MultiVectorBuilder),
    Dense(DenseBuilder),
    Sparse(SparseBuilder),
}

impl Column {
    pub(super) fn push_null(&mut self) {
        match self {
            Self::MultiVector(column) => column.push_null(),
            Self::Dense(column) => column.push_null(),
            Self::Sparse(column) => column.push_null(),
        }
    }

    /// Bytes of the embeddings so far.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::MultiVector(column) => column.bytes(),
            Self::Dense(column) => column.bytes(),
            Self::Sparse(column) => column.bytes(),
        }
    }

    /// The arrays of the embeddings so far.
    pub(super) fn finish(&mut self) -> Result<EmbeddingArrays> {
        match self {
            Self::MultiVector(column) => column.finish(),
            Self::Dense(column) => column.finish(),
            Self::Sparse(column) => column.finish(),
        }
    }
}
