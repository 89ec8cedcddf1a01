//! What encoders of one kind can do.

use super::{AnyHead, DenseEncoder, EncodeOptions, HybridEncoder, SparseEncoder, TextEncoder};
use crate::dense::{DenseEmbedding, Similarity};
use crate::error::Result;
use crate::sparse::SparseEmbedding;

impl DenseEncoder {
    /// How the model's vectors are compared.
    pub fn similarity_function(&self) -> Similarity {
        self.shared.head.similarity
    }

    /// How similar two embeddings are by the model's own function; larger is
    /// more similar.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`](crate::Error::DimensionMismatch) if they
    /// differ in length.
    pub fn similarity(&self, left: &DenseEmbedding, right: &DenseEmbedding) -> Result<f32> {
        left.similarity(right, self.similarity_function())
    }

    /// The same encoder with the first columns of its vectors only, for models
    /// trained so (Matryoshka). Other options are those of `options`.
    ///
    /// As in sentence-transformers, such vectors are scaled to unit length only
    /// where the options ask for [`Normalization::L2`](super::Normalization::L2).
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for more columns
    /// than there are, and those of [`with_options`](super::TextEncoder::with_options).
    pub fn with_dimensions(&self, columns: usize, options: &EncodeOptions) -> Result<Self> {
        self.with_options(&options.clone().with_dimensions(columns))
    }
}

impl HybridEncoder {
    /// Columns of the vectors of tokens; [`dim`](TextEncoder::dim) are those of
    /// the vectors of texts.
    pub fn token_dim(&self) -> usize {
        self.shared.head.widths.token
    }
}

impl SparseEncoder {
    /// The spelling of each token of an embedding, with its weight, the
    /// largest first.
    pub fn decode(&self, embedding: &SparseEmbedding) -> Vec<(String, f32)> {
        let weights = embedding.indices.iter().zip(&embedding.values);
        let mut found: Vec<(String, f32)> = weights
            .map(|(&id, &value)| (self.tokenizer().token(id).unwrap_or_default(), value))
            .collect();
        found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        found
    }
}

impl TextEncoder<AnyHead> {
    /// How the vectors of a dense model are compared; `None` for other models.
    pub fn similarity_function(&self) -> Option<Similarity> {
        self.shared.head.dense().map(|head| head.similarity)
    }
}
