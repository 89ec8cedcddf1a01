//! Constructors, one per variant: other crates cannot write the variants
//! themselves, because they may gain fields.

use std::{fmt, io};

use super::{Error, Source};

impl Error {
    /// Makes an [`Error::Io`]; `action` is what failed, such as `reading`.
    pub fn io(path: impl fmt::Display, action: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_string(),
            action,
            source,
        }
    }

    /// Makes an [`Error::MissingFile`]. Files in memory have an empty location.
    pub fn missing_file(
        location: impl fmt::Display,
        what: &'static str,
        expected: impl fmt::Display,
    ) -> Self {
        let location = location.to_string();
        Self::MissingFile {
            location: match location.as_str() {
                "" => "the files".to_owned(),
                _ => location,
            },
            what,
            expected: expected.to_string(),
        }
    }

    /// Makes an [`Error::Hub`]; `address` has no credentials in it.
    pub fn hub(
        address: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::Hub {
            address: address.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::ConfigSyntax`].
    pub fn config_syntax(file: impl fmt::Display, source: impl Into<Source>) -> Self {
        Self::ConfigSyntax {
            file: file.to_string(),
            source: source.into(),
        }
    }

    /// Makes an [`Error::ConfigValue`].
    pub fn config_value(
        file: impl fmt::Display,
        key: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::ConfigValue {
            file: file.to_string(),
            key,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::InvalidTokenizer`].
    pub fn invalid_tokenizer(file: impl fmt::Display, source: impl Into<Source>) -> Self {
        Self::InvalidTokenizer {
            file: file.to_string(),
            source: source.into(),
        }
    }

    /// Makes an [`Error::Tokenization`] for the text at position `index`.
    pub fn tokenization(index: usize, source: impl Into<Source>) -> Self {
        Self::Tokenization {
            index,
            source: source.into(),
        }
    }

    /// Makes an [`Error::InvalidModel`].
    pub fn invalid_model(
        file: impl fmt::Display,
        engine: &'static str,
        source: impl Into<Source>,
    ) -> Self {
        Self::InvalidModel {
            file: file.to_string(),
            engine,
            source: source.into(),
        }
    }

    /// Makes an [`Error::ModelMismatch`]; `what` names the input, output or
    /// property.
    pub fn model_mismatch(
        file: impl fmt::Display,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::ModelMismatch {
            file: file.to_string(),
            what: what.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::InvalidOption`]; `option` is its name in Rust.
    pub fn option(
        option: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::InvalidOption {
            option,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::TextTooLong`] for the text at position `index`.
    pub fn text_too_long(index: usize, expected: usize, found: usize) -> Self {
        Self::TextTooLong {
            index,
            expected,
            found,
        }
    }

    /// Makes an [`Error::InvalidFile`].
    pub fn invalid_file(
        file: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::InvalidFile {
            file: file.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::NonFiniteVector`] for a row of the text at position
    /// `index`.
    pub fn non_finite_vector(index: usize, row: usize, norm: f32) -> Self {
        Self::NonFiniteVector { index, row, norm }
    }

    /// Makes an [`Error::DimensionMismatch`].
    pub fn dimension_mismatch(what: impl fmt::Display, expected: usize, found: usize) -> Self {
        Self::DimensionMismatch {
            what: what.to_string(),
            expected,
            found,
        }
    }

    /// Makes an [`Error::Inference`] on a batch of shape `[rows, length]`.
    pub fn inference(
        engine: &'static str,
        [rows, length]: [usize; 2],
        source: impl Into<Source>,
    ) -> Self {
        Self::Inference {
            engine,
            rows,
            length,
            source: source.into(),
        }
    }

    /// Makes an [`Error::EngineUnavailable`].
    pub fn engine_unavailable(
        engine: &'static str,
        expected: impl fmt::Display,
        tried: impl fmt::Display,
    ) -> Self {
        Self::EngineUnavailable {
            engine,
            expected: expected.to_string(),
            tried: tried.to_string(),
        }
    }

    /// Makes an [`Error::ProviderUnavailable`].
    pub fn provider_unavailable(
        provider: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::ProviderUnavailable {
            provider: provider.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::Cancelled`] after `done` texts.
    pub fn cancelled(done: usize) -> Self {
        Self::Cancelled { done }
    }

    /// Makes an [`Error::DeadlineExceeded`] after `done` texts.
    pub fn deadline_exceeded(done: usize) -> Self {
        Self::DeadlineExceeded { done }
    }

    /// Makes an [`Error::FingerprintMismatch`] of two spaces.
    pub fn fingerprint_mismatch(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::FingerprintMismatch {
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes an [`Error::InvalidInput`] for a line, counted from 1.
    pub fn invalid_input(
        file: impl fmt::Display,
        line: usize,
        expected: &'static str,
        found: impl fmt::Display,
    ) -> Self {
        Self::InvalidInput {
            file: file.to_string(),
            line,
            expected,
            found: found.to_string(),
        }
    }
}
