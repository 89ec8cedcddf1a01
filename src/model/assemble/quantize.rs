//! Weights of floats as 8-bit integers, when a model is loaded.

use multivec_graph::quantize::quantize_all;
use multivec_graph::{ExternalReader, Graph};

use crate::backend::Precision;
use crate::error::{Error, Result};
use crate::fingerprint::WeightsHasher;
use crate::quantization::Quantization;

/// To be incremented when quantizing at load gives other weights. Vectors of
/// another version are of another space.
const VERSION: &[u8] = b"quantized at load 1";

/// A graph of floats that is to be quantized.
pub struct FloatGraph<'a> {
    /// The graph.
    pub graph: &'a mut Graph,
    /// Its name in messages.
    pub file: &'a str,
    /// Reads the tensors of other files.
    pub external: &'a ExternalReader<'a>,
    /// Has hashed the weights as they are stored.
    pub hasher: &'a mut WeightsHasher,
}

impl FloatGraph<'_> {
    /// Quantizes every layer, see [`quantize_all`]. A graph of which that is not
    /// possible stays as it is, unless INT8 is `wanted`.
    ///
    /// # Errors
    /// [`Error::Io`] for weights that cannot be read. If INT8 is wanted,
    /// [`Error::ModelMismatch`] and [`Error::InvalidModel`] for what cannot be
    /// quantized.
    pub fn quantize(self, wanted: Option<Precision>) -> Result<Quantization> {
        let quantized = quantize_all(self.graph, self.file, self.external);
        match quantized.map_err(Error::from) {
            Ok(()) => {
                self.hasher.update(VERSION);
                Ok(Quantization::AtLoad)
            }
            Err(error) if wanted.is_some() || matches!(error, Error::Io { .. }) => Err(error),
            Err(error) => Ok(Quantization::Refused {
                reason: match error {
                    Error::InvalidModel { file, source, .. } => format!("{file}: {source}"),
                    other => other.to_string(),
                },
            }),
        }
    }
}
