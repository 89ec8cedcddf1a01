//! What becomes of a graph's output: one file for each kind of model.

mod any;
mod cross;
mod dense;
mod hybrid;
mod multi_vector;
mod sparse;

use std::fmt;

use ndarray::ArrayView2;

use crate::config::TextKind;
use crate::dense::DenseEmbedding;
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::model::ModelKind;
use crate::normalization::{NonFiniteRow, Normalization};
use crate::pool::Pooling;
use crate::sparse::SparseEmbedding;
use crate::tokenize::{TextTokenizer, TokenizedText};
pub use any::{AnyHead, AnyOutput};
pub(super) use cross::LogitColumns;
pub use cross::{Cross, Prediction};
pub use dense::Dense;
use hybrid::HybridPart;
pub use hybrid::{Hybrid, HybridEmbedding};
pub use multi_vector::MultiVector;
pub use sparse::Sparse;

/// What an encoder of one kind does behind the graph.
///
/// Implemented for each kind of model by the library alone.
pub trait Head: sealed::Sealed + fmt::Debug + Sized + Send + Sync + 'static {
    /// The result for a text.
    type Output: Send + Sync;

    /// What is read of the graph's output for a text.
    #[doc(hidden)]
    type Part: Send + Sync;

    /// The head of a model; the kind that it should be of if it is of another.
    #[doc(hidden)]
    fn of(head: &ModelHead) -> Result<Self, ModelKind>;

    /// The kind that a model of several kinds is loaded as; `None` for that
    /// which its files state.
    #[doc(hidden)]
    fn wanted() -> Option<ModelKind>;

    /// The kind of model.
    fn kind(&self) -> ModelKind;

    /// What the rows of the graph's output stand for.
    #[doc(hidden)]
    fn reads(&self) -> Reads;

    /// Refuses a graph whose output has another number of columns than the
    /// head reads.
    #[doc(hidden)]
    fn check(&self, width: usize, file: &str) -> Result<()>;

    /// Columns of a result if the graph's output has `width`.
    #[doc(hidden)]
    fn dim(&self, width: usize) -> usize;

    /// Reads the output for a text: `[tokens with padding, width]`, or `[1,
    /// width]` of a graph that gives one vector.
    #[doc(hidden)]
    fn read(
        &self,
        states: ArrayView2<'_, f32>,
        text: &TokenizedText,
        finish: Finish,
    ) -> Result<Self::Part, NonFiniteRow>;

    /// The part of a text without tokens.
    #[doc(hidden)]
    fn of_nothing(&self, width: usize) -> Self::Part;

    /// The part of a text whose tokens suffice.
    #[doc(hidden)]
    fn of_tokens(&self, _text: &TokenizedText, _kind: TextKind) -> Option<Self::Part> {
        None
    }

    #[doc(hidden)]
    fn finish(part: Self::Part, text: TokenizedText, tokenizer: &TextTokenizer) -> Self::Output;

    /// A result with fewer rows.
    #[doc(hidden)]
    fn pooled(_output: &Self::Output, _pooling: Pooling) -> Result<Option<Self::Output>> {
        Ok(None)
    }
}

/// A head that gives embeddings of single texts.
pub trait EmbeddingHead: Head {
    /// An embedding as a matrix: `[tokens, dim]`, or `[1, dim]`.
    #[doc(hidden)]
    fn matrix(output: &Self::Output) -> Embedding;
}

impl EmbeddingHead for MultiVector {
    fn matrix(output: &Embedding) -> Embedding {
        output.clone()
    }
}

impl EmbeddingHead for Dense {
    fn matrix(output: &DenseEmbedding) -> Embedding {
        Embedding::of_row(output.values.clone())
    }
}

impl EmbeddingHead for Sparse {
    fn matrix(output: &SparseEmbedding) -> Embedding {
        Embedding::of_row(output.to_dense())
    }
}

/// What the rows of an output stand for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Tokens,
    /// One row is a text.
    Text,
    Either,
}

/// How a text is finished.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Finish {
    /// Never [`Normalization::Model`].
    pub(super) normalization: Normalization,
    /// Columns of dense vectors, if not all.
    pub(super) dimensions: Option<usize>,
    /// Whether they are scaled to unit length then.
    pub(super) renormalization: Normalization,
    /// Tokens of the prompt, with the special tokens in front of it.
    pub(super) prompt_tokens: usize,
}

/// What is behind the graph, by the kind of model.
#[doc(hidden)]
#[derive(Clone)]
pub enum ModelHead {
    MultiVector,
    Dense(Dense),
    Sparse(Sparse),
    Cross(Cross),
    Hybrid(Hybrid),
}

impl ModelHead {
    pub(super) fn kind(&self) -> ModelKind {
        match self {
            Self::MultiVector => ModelKind::MultiVector,
            Self::Dense(_) => ModelKind::Dense,
            Self::Sparse(_) => ModelKind::Sparse,
            Self::Cross(_) => ModelKind::CrossEncoder,
            Self::Hybrid(_) => ModelKind::Hybrid,
        }
    }
}

mod sealed {
    /// Keeps [`Head`](super::Head) from being implemented elsewhere.
    pub trait Sealed {}
    impl Sealed for super::AnyHead {}
    impl Sealed for super::MultiVector {}
    impl Sealed for super::Dense {}
    impl Sealed for super::Sparse {}
    impl Sealed for super::Cross {}
    impl Sealed for super::Hybrid {}
}

/// An error for an output of another width.
fn other_width(file: &str, expected: usize, found: usize) -> Error {
    Error::model_mismatch(
        file,
        "output",
        format_args!("{expected} columns"),
        format_args!("{found}"),
    )
}
