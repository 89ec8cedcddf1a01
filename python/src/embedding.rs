//! A multi-vector with the tokens behind its rows.

use multivec::{Embedding as Multi, Pooling};
use numpy::{PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::{Raised, option};
use crate::tokens::{TokenTuple, token};

/// The vectors of one text, and its tokens.
#[pyclass(frozen)]
pub(crate) struct Embedding {
    inner: Multi,
    text: String,
}

impl Embedding {
    pub(crate) fn new(inner: Multi, text: String) -> Self {
        Self { inner, text }
    }
}

#[pymethods]
impl Embedding {
    /// Wraps stored vectors, which are copied.
    #[staticmethod]
    fn of_rows(rows: PyReadonlyArray2<'_, f32>) -> PyResult<Self> {
        let rows = rows.as_array();
        let values: Vec<f32> = rows.iter().copied().collect();
        let inner = Multi::from_rows(values, rows.ncols()).raised()?;
        Ok(Self::new(inner, String::new()))
    }

    /// A copy of the vectors, `[tokens, dim]`.
    fn vectors<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        PyArray2::from_array(py, &self.inner.view())
    }

    fn shape(&self) -> (usize, usize) {
        (self.inner.tokens(), self.inner.dim())
    }

    /// The tokens behind each row.
    fn tokens(&self) -> Vec<Vec<TokenTuple>> {
        let rows = 0..self.inner.tokens();
        rows.map(|row| {
            let tokens = self.inner.row_tokens(row).into_iter();
            tokens.map(|found| token(found, &self.text)).collect()
        })
        .collect()
    }

    /// Tokens of the text that were kept, and dropped.
    fn truncation(&self) -> Option<(usize, usize)> {
        let found = self.inner.truncation()?;
        Some((found.kept_tokens, found.dropped_tokens))
    }

    /// Pools the rows.
    fn pooled(&self, py: Python<'_>, factor: i64, protected_tokens: i64) -> PyResult<Self> {
        let pooling = pooling(factor, protected_tokens)?;
        let inner = py.detach(|| self.inner.pooled(pooling)).raised()?;
        Ok(Self::new(inner, self.text.clone()))
    }
}

fn pooling(factor: i64, protected_tokens: i64) -> PyResult<Pooling> {
    let count = |name, value: i64, least: i64| match usize::try_from(value) {
        Ok(count) if value >= least => Ok(count),
        _ => Err(option(name, format!("{least} or more"), value)),
    };
    let pooling = Pooling::by(count("pool_factor", factor, 1)?);
    Ok(pooling.with_protected_tokens(count("protected_tokens", protected_tokens, 0)?))
}
