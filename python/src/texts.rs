//! Texts of a call: lists of strings, or Arrow arrays. None is copied.

use multivec_arrow::arrow_array::ArrayRef;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3_arrow::input::AnyArray;

use crate::error::Raised;

/// Texts; nulls are kept as `None`.
pub(crate) enum Texts {
    Strings(Vec<Option<PyBackedStr>>),
    /// The chunks of an array.
    Arrow(Vec<ArrayRef>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Texts {
    type Error = PyErr;

    fn extract(texts: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let is_arrow =
            texts.hasattr("__arrow_c_array__")? || texts.hasattr("__arrow_c_stream__")?;
        if !is_arrow {
            return Ok(Self::Strings(texts.extract()?));
        }
        let array: AnyArray = texts.extract()?;
        let (chunks, _) = array.into_chunked_array()?.into_inner();
        Ok(Self::Arrow(chunks))
    }
}

impl Texts {
    /// All texts in order.
    pub(crate) fn read(&self) -> PyResult<Vec<Option<&str>>> {
        match self {
            Self::Strings(texts) => Ok(texts.iter().map(Option::as_deref).collect()),
            Self::Arrow(chunks) => {
                let mut all = Vec::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
                for chunk in chunks {
                    let texts = multivec_arrow::Texts::new("texts", chunk.as_ref()).raised()?;
                    all.extend(texts.iter());
                }
                Ok(all)
            }
        }
    }
}
