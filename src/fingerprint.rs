//! Identity of an embedding space and of the way vectors were computed.

use std::fmt;
use std::io::{self, Read};

use crate::backend::{BackendInfo, GraphForm};
use crate::config::ModelConfig;
use crate::error::{Error, Result};

/// Says which vectors may be compared.
///
/// Vectors with the same [`space`](Self::space) belong together, whatever
/// engine computed them; [`computed`](Self::computed) says how they came about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    space: String,
    computed: String,
}

impl Fingerprint {
    pub(crate) fn new(
        weights: &WeightsHasher,
        tokenizer: &blake3::Hash,
        config: &ModelConfig,
        normalized: bool,
        info: &BackendInfo,
    ) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(weights.0.finalize().as_bytes());
        hasher.update(tokenizer.as_bytes());
        hasher.update(config.canonical().as_bytes());
        hasher.update(&[u8::from(normalized)]);
        let space = hasher.finalize().to_hex()[..32].to_owned();
        let form = match info.graph {
            GraphForm::Fused(_) => "/fused",
            _ => "",
        };
        let computed = format!(
            "multivec-{}/{}-{}/{}/{}{form}",
            env!("CARGO_PKG_VERSION"),
            info.engine,
            info.engine_version,
            info.provider,
            info.precision,
        );
        Self { space, computed }
    }

    /// Hash of weights, tokenizer and configuration: 32 hexadecimal digits
    /// (the first 128 bits of a BLAKE3 hash), equal on all engines.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// Versions of SDK and engine, provider, precision, and whether the graph
    /// was fused.
    pub fn computed(&self) -> &str {
        &self.computed
    }

    /// Refuses vectors that were stored under another space.
    ///
    /// # Errors
    /// [`Error::FingerprintMismatch`].
    pub fn check_space(&self, stored: &str) -> Result<()> {
        if stored == self.space {
            return Ok(());
        }
        Err(Error::FingerprintMismatch {
            expected: self.space.clone(),
            found: stored.to_owned(),
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.space, self.computed)
    }
}

/// Hashes model bytes while they are read, so that no copy is held for it.
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

    /// Adds everything that `reader` gives.
    ///
    /// # Errors
    /// The reader's.
    pub fn update_reader(&mut self, reader: impl Read) -> io::Result<()> {
        self.0.update_reader(reader).map(|_| ())
    }
}

impl fmt::Debug for WeightsHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightsHasher({})", self.0.finalize().to_hex())
    }
}
