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

pub use cosines::{Cosines, HistogramBin};
pub use invariance::{BatchInvariance, batch_invariance};
pub use ranking::{RankingAgreement, kendall_tau_b, ranking_agreement};
pub use sample::Sample;
pub use storage::{StorageAgreement, storage_agreement};

use crate::embedding::Embedding;
use crate::encoder::Encoder;
use crate::error::{Error, Result};

/// The embeddings of a [`Sample`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedSample {
    /// One per query, in the sample's order.
    pub queries: Vec<Embedding>,
    /// One per document, in the sample's order.
    pub documents: Vec<Embedding>,
}

impl EncodedSample {
    /// Encodes a sample.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn new(encoder: &Encoder, sample: &Sample) -> Result<Self> {
        Ok(Self {
            queries: encoder.encode_queries(&sample.queries)?,
            documents: encoder.encode_documents(&sample.documents)?,
        })
    }

    fn embeddings(&self) -> impl Iterator<Item = &Embedding> {
        self.queries.iter().chain(&self.documents)
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
