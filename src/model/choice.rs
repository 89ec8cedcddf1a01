//! Which of several weights to load.

use multivec_graph::architectures;

use super::description::{ModelDescription, WeightsFile};
use crate::backend::Precision;

impl WeightsFile {
    /// The precision that the file's name states, as exporters name graphs.
    /// Weights of others are taken for FP32 until they are read.
    pub fn named_precision(&self) -> Precision {
        let name = self.name();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        match self {
            Self::Safetensors(_) | Self::SafetensorsIndex(_) => Precision::Fp32,
            Self::Onnx(_) if has(&["int8", "quantized"]) => Precision::Int8,
            Self::Onnx(_) if has(&["_q4", "_bnb4", "int4"]) => Precision::Int4,
            Self::Onnx(_) if has(&["fp16", "_O4"]) => Precision::Fp16,
            Self::Onnx(_) => Precision::Fp32,
        }
    }

    /// The order among graphs of 8-bit integers: ours and that of PyLate's
    /// exporter first, whose layers have a scale for each column; then those for
    /// any processor, then those for one.
    fn rank(&self) -> usize {
        const NAMES: [&str; 7] = [
            "model_int8.onnx",
            "model_quantized.onnx",
            "model_qint8.onnx",
            "model_uint8.onnx",
            "model_quint8.onnx",
            "model_qint8_avx512_vnni.onnx",
            "model_qint8_avx512.onnx",
        ];
        let place = NAMES.iter().position(|known| *known == self.name());
        place.unwrap_or(NAMES.len())
    }

    fn name(&self) -> &str {
        let path = self.path();
        path.rsplit('/').next().unwrap_or(path)
    }
}

impl ModelDescription {
    /// The weights of a precision, the best first: of FP32 all that are not
    /// quantized. `model.safetensors` comes before graphs, unless its family is
    /// not implemented.
    pub fn weights_of(&self, precision: Precision) -> Vec<&WeightsFile> {
        let is_of = |weights: &&WeightsFile| match precision {
            Precision::Fp32 => !weights.named_precision().is_quantized(),
            other => weights.named_precision() == other,
        };
        let mut found: Vec<&WeightsFile> = self.weights.iter().filter(is_of).collect();
        // Stable: what is equal stays in the order of the description.
        found.sort_by_key(|weights| {
            let is_exact = weights.named_precision() == precision;
            (!is_exact, !self.can_be_read(weights), weights.rank())
        });
        found
    }

    /// Whether a graph is there, or can be written.
    fn can_be_read(&self, weights: &WeightsFile) -> bool {
        let family = self.transformer.as_ref();
        matches!(weights, WeightsFile::Onnx(_))
            || family.is_some_and(|family| {
                architectures::model_types().any(|known| known == family.model_type)
            })
    }
}
