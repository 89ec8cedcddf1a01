//! The products behind a score.

use ndarray::{Array2, ArrayView1};

use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::products::products;

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
/// [`Error::DimensionMismatch`] if rows differ in length.
pub fn matches(query: &Embedding, document: &Embedding) -> Result<Vec<Match>> {
    let products = similarity(query, document)?;
    Ok(products.rows().into_iter().map(best).collect())
}

/// The dot products of all query rows with all document rows, `[query rows,
/// document rows]`.
///
/// # Errors
/// As [`matches()`].
pub fn similarity(query: &Embedding, document: &Embedding) -> Result<Array2<f32>> {
    if query.dim() != document.dim() {
        let (expected, found) = (query.dim(), document.dim());
        return Err(Error::dimension_mismatch("document", expected, found));
    }
    Ok(products(
        query.as_slice(),
        document.as_slice(),
        document.dim(),
    ))
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
