//! Scores of pairs of texts.

use std::cmp::Ordering;

use super::heads::{Head, Prediction};
use super::run::EncodeJob;
use super::workers::Workers;
use super::{AnyHead, Cross, CrossEncoder, TextEncoder};
use crate::config::TextKind;
use crate::error::{Error, Result};
use crate::model::ModelKind;
use crate::sort::sort_positions;
use crate::tokenize::{TextPair, TokenizedText};
use crate::trace::span;

/// A document of a ranking by a cross-encoder.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RankedDocument {
    /// Its position in the slice of documents.
    pub index: usize,
    /// Its score.
    pub score: f32,
    /// The score before the activation function.
    pub logit: f32,
}

impl CrossEncoder {
    /// Scores pairs of texts, such as queries and documents, in input order.
    /// Where a pair is too long, tokens of the longer text are cut off first.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] with
    /// [`TruncationPolicy::Error`](crate::tokenize::TruncationPolicy::Error),
    /// [`Error::Tokenization`] if the tokenizer fails, [`Error::Inference`] if
    /// the engine fails, [`Error::NonFiniteVector`] for a logit that is NaN or
    /// infinite, [`Error::Cancelled`] and [`Error::DeadlineExceeded`] as the
    /// control says. Positions are those of pairs.
    pub fn predict<Q: AsRef<str>, D: AsRef<str>>(
        &self,
        pairs: &[(Q, D)],
    ) -> Result<Vec<Prediction>> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(query, document)| TextPair {
            query: query.as_ref(),
            document: document.as_ref(),
        });
        let mut workers = Workers::default();
        let texts = self.tokenize_pairs(&pairs.collect::<Vec<_>>(), &mut workers)?;
        EncodeJob::new(self.clone(), texts, TextKind::Document).finish_on(&mut workers)
    }

    /// Tokenizes a query with each document and plans their batches, to be run
    /// step by step.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict) that are about tokens.
    pub fn start_pairs<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
    ) -> Result<EncodeJob<Cross>> {
        let documents = documents.iter().map(AsRef::as_ref);
        let pairs = documents.map(|document| TextPair { query, document });
        let pairs: Vec<_> = pairs.collect();
        let texts = self.tokenize_pairs(&pairs, &mut Workers::default())?;
        Ok(EncodeJob::new(self.clone(), texts, TextKind::Document))
    }

    /// All documents by descending score for a query; equal scores keep the
    /// documents' order.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] for a model with several labels, and those of
    /// [`predict`](Self::predict).
    pub fn rank<D: AsRef<str>>(&self, query: &str, documents: &[D]) -> Result<Vec<RankedDocument>> {
        if self.dim() != 1 {
            return Err(Error::model_mismatch(
                &self.info().model_file,
                "labels",
                "one label, to rank by it",
                self.dim(),
            ));
        }
        let found = self.start_pairs(query, documents)?.finish()?;
        Ok(Self::ranking(&found))
    }

    /// Predictions of one label by descending score.
    #[doc(hidden)]
    pub fn ranking(predictions: &[Prediction]) -> Vec<RankedDocument> {
        let value = |values: &[f32]| values.first().copied().unwrap_or_default();
        let document = |index: usize| RankedDocument {
            index,
            score: value(&predictions[index].scores),
            logit: value(&predictions[index].logits),
        };
        // Scores near 0 or 1 may be equal where logits are not.
        let compare = |one: usize, other: usize| -> Ordering {
            let (one, other) = (document(one), document(other));
            other
                .score
                .total_cmp(&one.score)
                .then(other.logit.total_cmp(&one.logit))
        };
        let order = sort_positions(predictions.len(), &compare);
        order.into_iter().map(document).collect()
    }

    /// Labels that each pair has a score for.
    pub fn labels(&self) -> usize {
        self.dim()
    }
}

impl TextEncoder<AnyHead> {
    /// Tokenizes pairs of texts and plans their batches, to be run step by
    /// step.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] if the model is no cross-encoder, and those of
    /// [`CrossEncoder::predict`] that are about tokens.
    pub fn start_pairs(&self, pairs: &[TextPair<'_>]) -> Result<EncodeJob<AnyHead>> {
        let texts = self.tokenize_pairs(pairs, &mut Workers::default())?;
        Ok(EncodeJob::new(self.clone(), texts, TextKind::Document))
    }
}

impl<H: Head> TextEncoder<H> {
    fn tokenize_pairs(
        &self,
        pairs: &[TextPair<'_>],
        workers: &mut Workers,
    ) -> Result<Vec<TokenizedText>> {
        if self.kind() != ModelKind::CrossEncoder {
            return Err(self.other_input("pairs of texts"));
        }
        let bytes = pairs
            .iter()
            .map(|pair| pair.query.len() + pair.document.len())
            .sum();
        span!("tokenize", texts = pairs.len(), bytes = bytes);
        let layout = self.plan.layout(TextKind::Document);
        workers.map(self.share_of_texts(pairs.len(), bytes), |at| {
            self.control.check(0)?;
            let tokenizer = &self.shared.tokenizer;
            tokenizer.tokenize_pair(at, pairs[at], layout)
        })
    }
}
