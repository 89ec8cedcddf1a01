//! Late-interaction scores.
//!
//! MaxSim: each query row takes its best product with a document row, and the
//! score is the sum. Source: Khattab and Zaharia 2020, arXiv:2004.12832.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};

use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::sort::ordered;

/// The score of one document for one query: the sum, over query rows, of the
/// best product with a document row. A document without rows scores 0.
///
/// # Errors
/// [`Error::DimensionMismatch`] if the columns differ in number.
pub fn max_sim(query: &Embedding, document: &Embedding) -> Result<f32> {
    Ok(matches(query, document)?
        .iter()
        .map(|found| found.score)
        .sum())
}

/// The scores of documents for one query, in the order of the documents.
///
/// # Errors
/// As [`max_sim`]; the message names the document.
pub fn max_sim_many(query: &Embedding, documents: &[Embedding]) -> Result<Vec<f32>> {
    documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            max_sim(query, document).map_err(|error| named(error, format!("document {index}")))
        })
        .collect()
}

/// A document's place in a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The document's position in the slice that was ranked.
    pub index: usize,
    /// Its MaxSim score.
    pub score: f32,
}

/// All documents by descending score; equal scores keep the order given.
///
/// # Errors
/// As [`max_sim_many`].
pub fn rank(query: &Embedding, documents: &[Embedding]) -> Result<Vec<Ranked>> {
    let scores = max_sim_many(query, documents)?;
    Ok(sorted(scores.into_iter().enumerate()))
}

/// The documents at the positions given, such as the candidates of another
/// search, by descending score; equal scores keep the candidates' order.
///
/// # Errors
/// As [`max_sim`], and [`Error::InvalidOption`] for a candidate that is not a
/// position in `documents`.
pub fn rerank(
    query: &Embedding,
    documents: &[Embedding],
    candidates: &[usize],
) -> Result<Vec<Ranked>> {
    let scores = candidates
        .iter()
        .map(|&index| {
            let document = documents.get(index).ok_or_else(|| {
                Error::option(
                    "candidates",
                    format!("positions below {}", documents.len()),
                    index,
                )
            })?;
            let score = max_sim(query, document)
                .map_err(|error| named(error, format!("document {index}")))?;
            Ok((index, score))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(sorted(scores.into_iter()))
}

/// The document row that a query row matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The row of the document; `None` where it has no rows.
    pub row: Option<usize>,
    /// The product of the two rows, 0 where there is none.
    pub score: f32,
}

/// For each query row the document row with the best product, the first of
/// equals.
///
/// # Errors
/// As [`max_sim`].
pub fn matches(query: &Embedding, document: &Embedding) -> Result<Vec<Match>> {
    let products = similarity(query, document)?;
    Ok(products.rows().into_iter().map(best).collect())
}

/// Every product of a query row with a document row, `[query rows, document
/// rows]`.
///
/// # Errors
/// As [`max_sim`].
pub fn similarity(query: &Embedding, document: &Embedding) -> Result<Array2<f32>> {
    let (rows, columns): (ArrayView2<f32>, ArrayView2<f32>) = (query.view(), document.view());
    if rows.ncols() != columns.ncols() {
        return Err(Error::DimensionMismatch {
            what: "document".to_owned(),
            expected: rows.ncols(),
            found: columns.ncols(),
        });
    }
    Ok(rows.dot(&columns.t()))
}

fn best(products: ndarray::ArrayView1<'_, f32>) -> Match {
    let start = Match {
        row: None,
        score: 0.0,
    };
    products
        .iter()
        .enumerate()
        .fold(start, |best, (row, &score)| {
            if best.row.is_none() || score > best.score {
                Match {
                    row: Some(row),
                    score,
                }
            } else {
                best
            }
        })
}

fn sorted(scores: impl Iterator<Item = (usize, f32)>) -> Vec<Ranked> {
    let ranking: Vec<Ranked> = scores
        .map(|(index, score)| Ranked { index, score })
        .collect();
    let order = ordered(ranking.len(), &|left, right| {
        descending(ranking[left].score, ranking[right].score)
    });
    order.into_iter().map(|at| ranking[at]).collect()
}

// NaN, which only a broken document has, goes last.
fn descending(left: f32, right: f32) -> Ordering {
    right
        .partial_cmp(&left)
        .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

fn named(error: Error, what: String) -> Error {
    match error {
        Error::DimensionMismatch {
            expected, found, ..
        } => Error::DimensionMismatch {
            what,
            expected,
            found,
        },
        other => other,
    }
}
