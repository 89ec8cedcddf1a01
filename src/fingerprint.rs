//! Identity of an embedding space, and how its vectors were computed.

use std::fmt;
use std::io::{self, Read};

use crate::backend::{BackendInfo, GraphForm};
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::normalization::Normalization;
use crate::quantization::Quantization;

/// Tells which vectors may be compared.
///
/// Vectors with the same [`space`](Self::space) may, whichever engine computed
/// them; [`computed`](Self::computed) describes how they were computed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Fingerprint {
    space: String,
    computed: String,
}

/// What the vectors depend on.
pub(crate) struct Space<'a> {
    pub(crate) weights: &'a WeightsHasher,
    pub(crate) tokenizer: &'a blake3::Hash,
    pub(crate) config: &'a ModelConfig,
    pub(crate) normalization: Normalization,
}

impl Space<'_> {
    fn hash(&self) -> String {
        let is_normalized = self.normalization == Normalization::L2;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.weights.0.finalize().as_bytes());
        hasher.update(self.tokenizer.as_bytes());
        hasher.update(self.config.canonical().as_bytes());
        hasher.update(&[u8::from(is_normalized)]);
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

impl Fingerprint {
    pub(crate) fn new(space: &Space<'_>, info: &BackendInfo) -> Self {
        let form = match info.graph {
            GraphForm::Fused(_) => "/fused",
            _ => "",
        };
        let at_load = match info.quantization {
            Quantization::AtLoad => "-at-load",
            _ => "",
        };
        let computed = format!(
            "multivec-{}/{}-{}/{}/{}{at_load}{form}",
            env!("CARGO_PKG_VERSION"),
            info.engine,
            info.engine_version,
            info.provider,
            info.precision,
        );
        Self {
            space: space.hash(),
            computed,
        }
    }

    /// Hash of weights, of whether they were quantized at load, of tokenizer and
    /// configuration: 32 hexadecimal digits
    /// (the first 128 bits of a BLAKE3 hash), equal on all engines.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// Versions of this library and of the engine, provider, precision, whether
    /// weights were quantized at load, and whether the graph was fused.
    pub fn computed(&self) -> &str {
        &self.computed
    }

    /// Refuses vectors of another space.
    ///
    /// # Errors
    /// [`Error::FingerprintMismatch`] if `stored` is not [`space`](Self::space).
    pub fn check_space(&self, stored: &str) -> Result<()> {
        if stored == self.space {
            return Ok(());
        }
        Err(Error::fingerprint_mismatch(&self.space, stored))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.space, self.computed)
    }
}

/// Hashes the bytes of a model in the order of its file, chunk by chunk.
#[derive(Clone, Default)]
pub struct WeightsHasher(blake3::Hasher);

impl WeightsHasher {
    /// Starts an empty hash.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash so far, in 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }

    /// Adds everything that `reader` yields.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn update_reader(&mut self, reader: impl Read) -> io::Result<()> {
        self.0.update_reader(reader).map(|_| ())
    }
}

impl fmt::Debug for WeightsHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightsHasher({})", self.0.finalize().to_hex())
    }
}
