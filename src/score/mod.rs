//! Late-interaction scores.
//!
//! MaxSim: the sum, over query rows, of the largest dot product with a document
//! row. Source: Khattab and Zaharia 2020, arXiv:2004.12832.
//!
//! The functions run on the calling thread; a [`Scorer`] runs on threads that the
//! caller lends it. Scores are the same.

mod matches;
mod query;
mod ranking;
mod scorer;

use crate::embedding::Embedding;
use crate::error::Result;
pub use matches::{Match, matches, similarity};
pub(crate) use query::check_query;
pub(crate) use ranking::Best;
pub use ranking::Ranked;
pub use scorer::Scorer;

/// The MaxSim score of one document for one query; 0 for a document without
/// rows.
///
/// # Errors
/// [`Error::DimensionMismatch`](crate::Error::DimensionMismatch) if their rows
/// differ in length, [`Error::InvalidOption`](crate::Error::InvalidOption) if the
/// query has a number that is not finite, and
/// [`Error::NonFiniteVector`](crate::Error::NonFiniteVector) if the document has
/// one, or a product that is not finite.
pub fn max_sim(query: &Embedding, document: &Embedding) -> Result<f32> {
    Scorer::new().max_sim(query, document)
}

/// The MaxSim scores of documents for one query, in the documents' order.
///
/// # Errors
/// As [`max_sim`]; the message names the document.
pub fn max_sim_many(query: &Embedding, documents: &[Embedding]) -> Result<Vec<f32>> {
    Scorer::new().max_sim_many(query, documents)
}

/// All documents by descending score; equal scores keep the documents' order.
///
/// # Errors
/// As [`max_sim_many`].
pub fn rank(query: &Embedding, documents: &[Embedding]) -> Result<Vec<Ranked>> {
    Scorer::new().rank(query, documents)
}

/// The documents at the positions `candidates`, such as the hits of another
/// search, by descending score; equal scores keep the candidates' order.
///
/// # Errors
/// As [`max_sim_many`], and
/// [`Error::InvalidOption`](crate::Error::InvalidOption) for a candidate that is
/// not a position in `documents`.
pub fn rerank(
    query: &Embedding,
    documents: &[Embedding],
    candidates: &[usize],
) -> Result<Vec<Ranked>> {
    Scorer::new().rerank(query, documents, candidates)
}
