//! The error type of all targets.

mod convert;
mod new;

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of an engine or of another library, kept as the source.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that can fail in the core, in a backend or while loading.
///
/// Messages say what was expected, what was found and where. [`Error::code`]
/// is stable across versions and targets; messages may be reworded. Backends
/// and other crates make errors with the functions named after the variants,
/// such as [`Error::inference`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {action} failed: {source}")]
    #[non_exhaustive]
    Io {
        /// The file or folder.
        path: String,
        /// What was attempted, such as `reading`.
        action: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file that the model needs does not exist.
    #[error("{location}: {what} is missing: expected one of {expected}, found none")]
    #[non_exhaustive]
    MissingFile {
        /// The model directory.
        location: String,
        /// The missing part, such as `the tokenizer`.
        what: &'static str,
        /// Accepted file names.
        expected: String,
    },
    /// A model hub refused a request, could not be reached, or sent something
    /// else than it announced.
    #[error("{address}: expected {expected}, found {found}")]
    #[non_exhaustive]
    Hub {
        /// The address that was asked, without credentials.
        address: String,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// The configuration is not a JSON object.
    #[error("{file}: expected a JSON object: {source}")]
    #[non_exhaustive]
    ConfigSyntax {
        /// The configuration file.
        file: String,
        /// The parser's error, with line and column.
        source: Source,
    },
    /// A key of the configuration is missing, wrong, or contradicts another
    /// part of the model.
    #[error("{file}: key `{key}`: expected {expected}, found {found}")]
    #[non_exhaustive]
    ConfigValue {
        /// The configuration file.
        file: String,
        /// The key.
        key: &'static str,
        /// What would be valid.
        expected: String,
        /// The value in the file.
        found: String,
    },
    /// The tokenizer file cannot be used.
    #[error("{file}: expected a tokenizer in Hugging Face's JSON format: {source}")]
    #[non_exhaustive]
    InvalidTokenizer {
        /// The tokenizer file.
        file: String,
        /// The tokenizer's error.
        source: Source,
    },
    /// The tokenizer failed on a text.
    #[error("text {index}: tokenization failed: {source}")]
    #[non_exhaustive]
    Tokenization {
        /// Position of the text in the call.
        index: usize,
        /// The tokenizer's error.
        source: Source,
    },
    /// The model file is corrupt, or the engine does not support it.
    #[error("{file}: expected an ONNX model that {engine} can load: {source}")]
    #[non_exhaustive]
    InvalidModel {
        /// The model file.
        file: String,
        /// The engine that refused it.
        engine: &'static str,
        /// The engine's own error.
        source: Source,
    },
    /// An input, an output or another property of the model is not that of an
    /// encoder with this configuration.
    #[error("{file}: {what}: expected {expected}, found {found}")]
    #[non_exhaustive]
    ModelMismatch {
        /// The model file.
        file: String,
        /// The input, output or property.
        what: String,
        /// What the configuration requires.
        expected: String,
        /// What the model has.
        found: String,
    },
    /// An option is out of range or contradicts another one.
    #[error("option `{option}`: expected {expected}, found {found}")]
    #[non_exhaustive]
    InvalidOption {
        /// The option's name in Rust, such as `batch_limit`.
        option: &'static str,
        /// What would be valid.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A text is longer than the model accepts, and the truncation policy is
    /// [`TruncationPolicy::Error`](crate::tokenize::TruncationPolicy::Error).
    #[error("text {index}: expected at most {expected} tokens, found {found}")]
    #[non_exhaustive]
    TextTooLong {
        /// Position of the text in the call.
        index: usize,
        /// Most tokens of the text that fit, not counting special tokens.
        expected: usize,
        /// Tokens of the text, not counting special tokens.
        found: usize,
    },
    /// A file of the model is not what its place says, such as a Git LFS
    /// pointer, or is truncated.
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
    /// The model gave a text a vector that is NaN or infinite, as after an
    /// overflow of 16-bit floats, or with a damaged file.
    #[error("text {index}: expected vectors of finite numbers, found norm {norm} in row {row}")]
    #[non_exhaustive]
    NonFiniteVector {
        /// Position of the text in the call.
        index: usize,
        /// The first such row among those that are kept.
        row: usize,
        /// Its L2 norm.
        norm: f32,
    },
    /// Two matrices that must have the same shape do not.
    #[error("{what}: expected dimension {expected}, found {found}")]
    #[non_exhaustive]
    DimensionMismatch {
        /// The matrix, and which of its dimensions.
        what: String,
        /// The expected size.
        expected: usize,
        /// The actual size.
        found: usize,
    },
    /// The engine failed on a batch.
    #[error("{engine} failed on a batch of shape [{rows}, {length}]: {source}")]
    #[non_exhaustive]
    Inference {
        /// The engine.
        engine: &'static str,
        /// Texts in the batch.
        rows: usize,
        /// Tokens per row, including padding.
        length: usize,
        /// The engine's own error.
        source: Source,
    },
    /// The engine's shared library was not found or cannot be used.
    #[error("{engine} cannot be loaded: {expected}; tried: {tried}")]
    #[non_exhaustive]
    EngineUnavailable {
        /// The engine.
        engine: &'static str,
        /// Which library is needed, and how to install it.
        expected: String,
        /// Every path that was tried, each with the reason for its rejection.
        tried: String,
    },
    /// The requested execution provider cannot be used.
    #[error("provider `{provider}` cannot be used: {found}; {expected}")]
    #[non_exhaustive]
    ProviderUnavailable {
        /// The provider, such as `cuda`.
        provider: String,
        /// What it needs, and how to install that.
        expected: String,
        /// Why it cannot be used.
        found: String,
    },
    /// A call was cancelled.
    #[error("cancelled after {done} texts")]
    #[non_exhaustive]
    Cancelled {
        /// Texts encoded before that.
        done: usize,
    },
    /// A call did not finish before its deadline.
    #[error("the deadline has passed after {done} texts")]
    #[non_exhaustive]
    DeadlineExceeded {
        /// Texts encoded before that.
        done: usize,
    },
    /// Stored vectors belong to another embedding space.
    #[error("fingerprint: expected space {expected}, found {found}")]
    #[non_exhaustive]
    FingerprintMismatch {
        /// The space of this encoder.
        expected: String,
        /// The space of the stored vectors.
        found: String,
    },
    /// A line of an input file cannot be used.
    #[error("{file}:{line}: expected {expected}, found {found}")]
    #[non_exhaustive]
    InvalidInput {
        /// The input file, `-` for standard input.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// The format of a line.
        expected: &'static str,
        /// What is wrong with this line.
        found: String,
    },
}

impl Error {
    /// The variant's name in snake case, stable and machine-readable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::MissingFile { .. } => "missing_file",
            Self::Hub { .. } => "hub",
            Self::ConfigSyntax { .. } => "config_syntax",
            Self::ConfigValue { .. } => "config_value",
            Self::InvalidTokenizer { .. } => "invalid_tokenizer",
            Self::Tokenization { .. } => "tokenization",
            Self::InvalidModel { .. } => "invalid_model",
            Self::ModelMismatch { .. } => "model_mismatch",
            Self::InvalidFile { .. } => "invalid_file",
            Self::InvalidOption { .. } => "invalid_option",
            Self::TextTooLong { .. } => "text_too_long",
            Self::NonFiniteVector { .. } => "non_finite_vector",
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
    /// The position of the text that this is about, in its call. `None` for
    /// failures of the whole call, such as those of the engine.
    pub fn text(&self) -> Option<usize> {
        match self {
            Self::Tokenization { index, .. }
            | Self::TextTooLong { index, .. }
            | Self::NonFiniteVector { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// The error of a call that continues others, with the position of its text
    /// counted from the first of them; there were `texts` before this call.
    #[must_use]
    pub fn after(mut self, texts: usize) -> Self {
        if let Self::Tokenization { index, .. }
        | Self::TextTooLong { index, .. }
        | Self::NonFiniteVector { index, .. } = &mut self
        {
            *index += texts;
        }
        self
    }
}
