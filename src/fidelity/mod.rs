//! How close one encoder comes to another one, and to itself.
//!
//! Three things are measured: how far each token's vector turned
//! ([`Cosines`]), whether documents are still ranked in the same order
//! ([`RankingAgreement`]), and whether a text's vectors depend on the texts
//! beside it ([`BatchInvariance`]).

mod cosines;
mod invariance;
mod ranking;
mod sample;

pub use cosines::{Cosines, HistogramBin};
pub use invariance::{BatchInvariance, batch_invariance};
pub use ranking::{RankingAgreement, kendall_tau_b, ranking_agreement};
pub use sample::Sample;

use crate::embedding::Embedding;
use crate::encoder::Encoder;
use crate::error::{Error, Result};

/// What an encoder made of a [`Sample`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedSample {
    /// One a query, in the sample's order.
    pub queries: Vec<Embedding>,
    /// One a document, in the sample's order.
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

/// A sample encoded twice, by two encoders.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    expected: &'a EncodedSample,
    found: &'a EncodedSample,
}

impl<'a> Comparison<'a> {
    /// Puts the two side by side, `expected` being the one that counts as
    /// right.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if they differ in columns, in the number
    /// of texts, or in the rows of any text: the encoders take other tokens.
    pub fn new(expected: &'a EncodedSample, found: &'a EncodedSample) -> Result<Self> {
        let equal = |what: String, expected, found| match expected == found {
            true => Ok(()),
            false => Err(Error::DimensionMismatch {
                what,
                expected,
                found,
            }),
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
