//! Errors of reading and rewriting graphs.

use std::io;

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of another library.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a graph cannot be read, quantized or packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: {action} failed: {source}")]
    #[non_exhaustive]
    Io {
        /// The file or folder.
        path: String,
        /// What failed, such as `reading`.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// The model file is corrupt, or its weights are not where it says they are.
    #[error("{file}: expected an ONNX model: {source}")]
    #[non_exhaustive]
    InvalidModel {
        /// The model file.
        file: String,
        /// What is wrong with it.
        source: Source,
    },
    /// A file beside the graph is not what it should be.
    #[error("{file}: expected {expected}, found {found}")]
    #[non_exhaustive]
    InvalidFile {
        /// The file.
        file: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The model is valid, but not supported.
    #[error("{file}: {what}: expected {expected}, found {found}")]
    #[non_exhaustive]
    ModelMismatch {
        /// The model file.
        file: String,
        /// The property that is not supported.
        what: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
}

impl Error {
    /// A stable, machine-readable name of the variant.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::InvalidModel { .. } => "invalid_model",
            Self::InvalidFile { .. } => "invalid_file",
            Self::ModelMismatch { .. } => "model_mismatch",
        }
    }

    /// Creates an [`Error::Io`].
    pub fn io(path: impl Into<String>, action: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.into(),
            action,
            source,
        }
    }

    /// Creates an [`Error::InvalidModel`].
    pub fn invalid(file: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::InvalidModel {
            file: file.into(),
            source: source.into(),
        }
    }

    /// Creates an [`Error::InvalidFile`].
    pub fn file(file: &str, expected: impl Into<String>, found: impl std::fmt::Display) -> Self {
        Self::InvalidFile {
            file: file.to_owned(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// Creates an [`Error::ModelMismatch`].
    pub(crate) fn mismatch(
        file: &str,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::ModelMismatch {
            file: file.to_owned(),
            what: what.into(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}
