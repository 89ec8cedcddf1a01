//! How close the vectors of one encoder are to those of another.
//!
//! Three measures of encoders: the cosine of each token's two vectors ([`Cosines`]), whether
//! documents are ranked in the same order ([`RankingAgreement`]), and whether
//! the vectors of a text depend on its batch ([`BatchInvariance`]). One of vectors:
//! what it costs to store them with less precision ([`StorageAgreement`]).

mod cosines;
mod invariance;
mod ranking;
mod sample;
mod storage;
mod support;

pub use cosines::{Cosines, HistogramBin};
pub use invariance::{
    BatchInvariance, batch_invariance, batch_invariance_of_any, batch_invariance_of_pairs,
};
pub use ranking::{RankingAgreement, kendall_tau_b, ranking_agreement};
pub use sample::Sample;
pub use storage::{StorageAgreement, storage_agreement};
pub use support::support_overlap;

use crate::embedding::Embedding;
use crate::encoder::{AnyEncoder, CrossEncoder, EmbeddingHead, TextEncoder};
use crate::error::{Error, Result};

/// The embeddings of a [`Sample`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedSample {
    /// One per query, in the sample's order.
    pub queries: Vec<Embedding>,
    /// One per document, in the sample's order.
    pub documents: Vec<Embedding>,
    of: Of,
}

/// What a model has read at once.
#[derive(Clone, Copy, Debug)]
enum Of {
    Texts,
    Pairs,
}

impl EncodedSample {
    /// Encodes a sample. Embeddings that are one vector become one row.
    ///
    /// # Errors
    /// As [`TextEncoder::encode`].
    pub fn new<H: EmbeddingHead>(encoder: &TextEncoder<H>, sample: &Sample) -> Result<Self> {
        let matrices = |found: Vec<H::Output>| found.iter().map(H::matrix).collect();
        Ok(Self {
            queries: matrices(encoder.encode_queries(&sample.queries)?),
            documents: matrices(encoder.encode_documents(&sample.documents)?),
            of: Of::Texts,
        })
    }

    /// Encodes a sample with an encoder of any kind.
    ///
    /// # Errors
    /// Those of [`new`](Self::new) and [`of_pairs`](Self::of_pairs).
    pub fn of_any(encoder: &AnyEncoder, sample: &Sample) -> Result<Self> {
        match encoder {
            AnyEncoder::MultiVector(encoder) => Self::new(encoder, sample),
            AnyEncoder::Dense(encoder) => Self::new(encoder, sample),
            AnyEncoder::Sparse(encoder) => Self::new(encoder, sample),
            AnyEncoder::Hybrid(encoder) => Self::new(encoder, sample),
            AnyEncoder::Cross(encoder) => Self::of_pairs(encoder, sample),
        }
    }

    /// Scores all pairs of a sample. A query's row has the first logit of each
    /// document, a document's row has a 1 in its own column, so that their
    /// product is the score.
    ///
    /// # Errors
    /// As [`CrossEncoder::predict`].
    pub fn of_pairs(encoder: &CrossEncoder, sample: &Sample) -> Result<Self> {
        let count = sample.documents.len();
        let query = |query: &String| {
            let found = encoder.start_pairs(query, &sample.documents)?.finish()?;
            let first = found.iter().filter_map(|one| one.logits.first().copied());
            Ok(Embedding::of_row(first.collect()))
        };
        let document = |own: usize| {
            let row = (0..count).map(|at| f32::from(u8::from(at == own)));
            Embedding::of_row(row.collect())
        };
        Ok(Self {
            queries: sample.queries.iter().map(query).collect::<Result<_>>()?,
            documents: (0..count).map(document).collect(),
            of: Of::Pairs,
        })
    }

    /// What was computed by the model.
    fn embeddings(&self) -> impl Iterator<Item = &Embedding> {
        let documents = match self.of {
            Of::Texts => &self.documents[..],
            Of::Pairs => &[],
        };
        self.queries.iter().chain(documents)
    }
}

/// A sample encoded by two encoders.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    expected: &'a EncodedSample,
    found: &'a EncodedSample,
}

impl<'a> Comparison<'a> {
    /// Compares `found` with the reference `expected`.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if they differ in columns, in the number
    /// of texts, or in the rows of any text.
    pub fn new(expected: &'a EncodedSample, found: &'a EncodedSample) -> Result<Self> {
        let equal = |what: String, expected, found| {
            if expected == found {
                Ok(())
            } else {
                Err(Error::dimension_mismatch(what, expected, found))
            }
        };
        for (what, left, right) in [
            ("query", &expected.queries, &found.queries),
            ("document", &expected.documents, &found.documents),
        ] {
            equal(format!("number of {what} texts"), left.len(), right.len())?;
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                equal(format!("columns of {what} {at}"), left.dim(), right.dim())?;
                equal(
                    format!("rows of {what} {at}"),
                    left.tokens(),
                    right.tokens(),
                )?;
            }
        }
        Ok(Self { expected, found })
    }

    fn pairs(self) -> impl Iterator<Item = (&'a Embedding, &'a Embedding)> {
        self.expected.embeddings().zip(self.found.embeddings())
    }
}
