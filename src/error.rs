//! The one error type of all targets.

use std::fmt;

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of an engine or of another library, kept as the source.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that can go wrong in the core, in a backend or while loading.
///
/// Messages say where, what was expected and what was found. [`Error::code`]
/// is stable across versions and targets; messages may be reworded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {action} failed: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What was attempted, such as `reading`.
        action: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file that the model needs is not there.
    #[error("{location}: {what} is missing: expected one of {expected}, found none")]
    MissingFile {
        /// The model directory.
        location: String,
        /// The missing piece, such as `the tokenizer`.
        what: &'static str,
        /// File names that would do.
        expected: String,
    },
    /// The configuration is not a JSON object.
    #[error("{file}: expected a JSON object: {source}")]
    ConfigSyntax {
        /// The configuration file.
        file: String,
        /// Where the syntax is off.
        source: serde_json::Error,
    },
    /// A key of the configuration is missing, wrong, or contradicts another
    /// part of the model.
    #[error("{file}: key `{key}`: expected {expected}, found {found}")]
    ConfigValue {
        /// The configuration file.
        file: String,
        /// The key.
        key: &'static str,
        /// What would be valid.
        expected: String,
        /// What was there.
        found: String,
    },
    /// The tokenizer file cannot be used.
    #[error("{file}: expected a tokenizer in Hugging Face's JSON format: {source}")]
    InvalidTokenizer {
        /// The tokenizer file.
        file: String,
        /// The reason.
        source: Source,
    },
    /// The tokenizer failed on a text.
    #[error("text {index}: tokenization failed: {source}")]
    Tokenization {
        /// Position of the text in the call.
        index: usize,
        /// The reason.
        source: Source,
    },
    /// The model file is corrupt or uses something the engine cannot run.
    #[error("{file}: expected an ONNX model that {engine} can load: {source}")]
    InvalidModel {
        /// The model file.
        file: String,
        /// The engine that refused it.
        engine: &'static str,
        /// The engine's own error.
        source: Source,
    },
    /// An input or output of the model is not what an encoder has.
    #[error("{file}: {what}: expected {expected}, found {found}")]
    ModelMismatch {
        /// The model file.
        file: String,
        /// The input, output or property.
        what: String,
        /// What an encoder of this configuration has.
        expected: String,
        /// What the model has.
        found: String,
    },
    /// An option is out of range or contradicts another one.
    #[error("option `{option}`: expected {expected}, found {found}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What would be valid.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A text is longer than the model takes, and truncation was ruled out.
    #[error("text {index}: expected at most {expected} tokens, found {found}")]
    TextTooLong {
        /// Position of the text in the call.
        index: usize,
        /// Tokens of text that fit, special tokens not counted.
        expected: usize,
        /// Tokens of the text, special tokens not counted.
        found: usize,
    },
    /// Two matrices that must have the same number of columns do not.
    #[error("{what}: expected dimension {expected}, found {found}")]
    DimensionMismatch {
        /// The matrix that is off.
        what: String,
        /// Columns expected.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// The engine failed on a batch.
    #[error("{engine} failed on a batch of shape [{rows}, {length}]: {source}")]
    Inference {
        /// The engine.
        engine: &'static str,
        /// Texts in the batch.
        rows: usize,
        /// Tokens of each row, padding included.
        length: usize,
        /// The engine's own error.
        source: Source,
    },
    /// The engine's shared library was not found or cannot be used.
    #[error("{engine} cannot be loaded: {expected}; tried: {tried}")]
    EngineUnavailable {
        /// The engine.
        engine: &'static str,
        /// Which library is needed, and how to get it.
        expected: String,
        /// Every place that was tried, each with the reason it was refused.
        tried: String,
    },
    /// An execution provider was asked for that cannot be had.
    #[error("provider `{provider}` cannot be used: {found}; {expected}")]
    ProviderUnavailable {
        /// The provider, such as `cuda`.
        provider: String,
        /// What is needed, and how to get it.
        expected: String,
        /// Why it cannot be used.
        found: String,
    },
    /// A call was cancelled.
    #[error("cancelled after {done} texts")]
    Cancelled {
        /// Texts that were encoded by then.
        done: usize,
    },
    /// A call was not done by its deadline.
    #[error("the deadline has passed after {done} texts")]
    DeadlineExceeded {
        /// Texts that were encoded by then.
        done: usize,
    },
    /// Stored vectors belong to another embedding space.
    #[error("fingerprint: expected space {expected}, found {found}")]
    FingerprintMismatch {
        /// The space of this encoder.
        expected: String,
        /// The space of the vectors.
        found: String,
    },
    /// A line of an input file cannot be used.
    #[error("{file}:{line}: expected {expected}, found {found}")]
    InvalidInput {
        /// The input file, `-` for standard input.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// What a line has to look like.
        expected: &'static str,
        /// What is wrong with this one.
        found: String,
    },
}

impl Error {
    /// A stable, machine-readable name of the variant.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::MissingFile { .. } => "missing_file",
            Self::ConfigSyntax { .. } => "config_syntax",
            Self::ConfigValue { .. } => "config_value",
            Self::InvalidTokenizer { .. } => "invalid_tokenizer",
            Self::Tokenization { .. } => "tokenization",
            Self::InvalidModel { .. } => "invalid_model",
            Self::ModelMismatch { .. } => "model_mismatch",
            Self::InvalidOption { .. } => "invalid_option",
            Self::TextTooLong { .. } => "text_too_long",
            Self::DimensionMismatch { .. } => "dimension_mismatch",
            Self::Inference { .. } => "inference",
            Self::EngineUnavailable { .. } => "engine_unavailable",
            Self::ProviderUnavailable { .. } => "provider_unavailable",
            Self::Cancelled { .. } => "cancelled",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::FingerprintMismatch { .. } => "fingerprint_mismatch",
            Self::InvalidInput { .. } => "invalid_input",
        }
    }

    /// Shorthand for [`Error::InvalidOption`].
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
}

impl From<multivec_graph::Error> for Error {
    fn from(error: multivec_graph::Error) -> Self {
        use multivec_graph::Error as Graph;
        match error {
            Graph::Io {
                path,
                action,
                source,
                ..
            } => Self::Io {
                path,
                action,
                source,
            },
            Graph::InvalidModel { file, source, .. } => Self::InvalidModel {
                file,
                engine: "multivec",
                source,
            },
            Graph::ModelMismatch {
                file,
                what,
                expected,
                found,
                ..
            } => Self::ModelMismatch {
                file,
                what,
                expected,
                found,
            },
            other => Self::InvalidModel {
                file: "the model".to_owned(),
                engine: "multivec",
                source: other.into(),
            },
        }
    }
}
