//! What queries and documents must be.

use ndarray::ArrayView2;

use crate::error::{Error, Result};

/// Refuses a query with numbers that are not finite.
pub(crate) fn check_query(query: ArrayView2<'_, f32>) -> Result<()> {
    for (at, row) in query.rows().into_iter().enumerate() {
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            let found = format!("{value} in row {at}");
            return Err(Error::option("query", "finite numbers", found));
        }
    }
    Ok(())
}

/// The error of a document whose products are not finite: names its first row with
/// such a number, or the longest row, whose products overflow.
pub(super) fn not_finite<'a>(index: usize, rows: impl Iterator<Item = &'a [f32]>) -> Error {
    let (mut longest, mut most) = (0, 0.);
    for (at, row) in rows.enumerate() {
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        if row.iter().any(|value| !value.is_finite()) {
            return Error::non_finite_vector(index, at, norm);
        }
        if norm > most {
            (longest, most) = (at, norm);
        }
    }
    Error::non_finite_vector(index, longest, most)
}
