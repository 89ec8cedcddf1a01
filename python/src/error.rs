//! `multivec.EncoderError`, raised for the errors of the core.

use std::error::Error as _;
use std::fmt::Display;

use multivec::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The class, which is written in Python: the stable interface for extensions
/// cannot derive from exceptions before Python 3.12.
static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// What was wrong with a call, for [`pyo3`].
pub(crate) fn raise(error: Error) -> PyErr {
    let mut message = error.to_string();
    let mut source = error.source();
    // Most messages end with their source's.
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.contains(&cause_text) {
            message = format!("{message}: {cause_text}");
        }
        source = cause.source();
    }
    coded(error.code(), &message)
}

/// An error of this crate, with a code of its own.
pub(crate) fn coded(code: &str, message: &str) -> PyErr {
    Python::attach(|py| {
        let class = CLASS.import(py, "multivec.errors", "EncoderError");
        match class.and_then(|class| class.call1((message, code))) {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        }
    })
}

/// An error for an option out of range.
pub(crate) fn option(name: &'static str, expected: impl Display, found: impl Display) -> PyErr {
    raise(Error::option(name, expected, found))
}

/// Results as Python sees them.
pub(crate) trait Raised<T> {
    /// Raises the error as an `EncoderError`.
    fn raised(self) -> PyResult<T>;
}

impl<T> Raised<T> for multivec::Result<T> {
    fn raised(self) -> PyResult<T> {
        self.map_err(raise)
    }
}
