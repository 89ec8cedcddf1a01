//! Where 8-bit weights come from.

use std::fmt;

/// What became of a model's weights when it was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Quantization {
    /// They run in the precision in which they are stored.
    #[default]
    Stored,
    /// They are stored in floats and were quantized.
    AtLoad,
    /// They run as they are stored, because they could not be quantized.
    Refused {
        /// What could not be quantized.
        reason: String,
    },
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("as stored"),
            Self::AtLoad => f.write_str("quantized at load"),
            Self::Refused { reason } => write!(f, "not quantized at load: {reason}"),
        }
    }
}
