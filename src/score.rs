//! Late-interaction scores.
//!
//! MaxSim: the sum, over query rows, of the largest dot product with a document
//! row. Source: Khattab and Zaharia 2020, arXiv:2004.12832.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView1};

use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::sort::sort_positions;

/// The MaxSim score of one document for one query; 0 for a document without
/// rows.
///
/// # Errors
/// [`Error::DimensionMismatch`] if their rows differ in length.
pub fn max_sim(query: &Embedding, document: &Embedding) -> Result<f32> {
    Ok(matches(query, document)?
        .iter()
        .map(|found| found.score)
        .sum())
}

/// The MaxSim scores of documents for one query, in the documents' order.
///
/// # Errors
/// As [`max_sim`]; the message names the document.
pub fn max_sim_many(query: &Embedding, documents: &[Embedding]) -> Result<Vec<f32>> {
    documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            max_sim(query, document).map_err(|error| of_document(index, error))
        })
        .collect()
}

/// A document of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Ranked {
    /// Its position in the slice of documents.
    pub index: usize,
    /// Its MaxSim score.
    pub score: f32,
}

/// All documents by descending score; equal scores keep the documents' order.
///
/// # Errors
/// As [`max_sim_many`].
pub fn rank(query: &Embedding, documents: &[Embedding]) -> Result<Vec<Ranked>> {
    let scores = max_sim_many(query, documents)?;
    Ok(sorted(scores.into_iter().enumerate()))
}

/// The documents at the positions `candidates`, such as the hits of another
/// search, by descending score; equal scores keep the candidates' order.
///
/// # Errors
/// As [`max_sim_many`], and [`Error::InvalidOption`] for a candidate that is
/// not a position in `documents`.
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
            let score = max_sim(query, document).map_err(|error| of_document(index, error))?;
            Ok((index, score))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(sorted(scores.into_iter()))
}

/// The document row that matches a query row best.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Match {
    /// The row of the document; `None` if the document has no rows.
    pub row: Option<usize>,
    /// The dot product of the two rows; 0 without a row.
    pub score: f32,
}

/// For each query row the document row with the largest dot product, the first
/// of equals.
///
/// # Errors
/// As [`max_sim`].
pub fn matches(query: &Embedding, document: &Embedding) -> Result<Vec<Match>> {
    let products = similarity(query, document)?;
    Ok(products.rows().into_iter().map(best).collect())
}

/// The dot products of all query rows with all document rows, `[query rows,
/// document rows]`.
///
/// # Errors
/// As [`max_sim`].
pub fn similarity(query: &Embedding, document: &Embedding) -> Result<Array2<f32>> {
    let (rows, columns) = (query.view(), document.view());
    if rows.ncols() != columns.ncols() {
        let (expected, found) = (rows.ncols(), columns.ncols());
        return Err(Error::dimension_mismatch("document", expected, found));
    }
    Ok(rows.dot(&columns.t()))
}

fn best(products: ArrayView1<'_, f32>) -> Match {
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
    let order = sort_positions(ranking.len(), &|left, right| {
        descending(ranking[left].score, ranking[right].score)
    });
    order.into_iter().map(|at| ranking[at]).collect()
}

// NaN, the score of a broken document, goes last.
fn descending(left: f32, right: f32) -> Ordering {
    right
        .partial_cmp(&left)
        .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Names the document in the message.
fn of_document(index: usize, mut error: Error) -> Error {
    if let Error::DimensionMismatch { what, .. } = &mut error {
        *what = format!("document {index}");
    }
    error
}
