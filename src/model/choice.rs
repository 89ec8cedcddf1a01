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

    /// Whether these weights are quantized when they are loaded to run in this
    /// precision: those of safetensors are, unless another is asked for.
    pub fn is_quantized_at_load(&self, precision: Option<Precision>) -> bool {
        self.is_safetensors() && matches!(precision, None | Some(Precision::Int8))
    }

    fn is_safetensors(&self) -> bool {
        matches!(self, Self::Safetensors(_) | Self::SafetensorsIndex(_))
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

    /// The weights to load to run in a precision, the best first. By default
    /// INT8 graphs, then what is not quantized, then 4-bit graphs. After graphs
    /// that are named after a precision come weights that
    /// [are quantized](WeightsFile::is_quantized_at_load) or, for 16-bit floats,
    /// may be stored as such, which reading them shows.
    pub fn weights_for(&self, precision: Option<Precision>) -> Vec<&WeightsFile> {
        let of = |precisions: &[Precision]| -> Vec<&WeightsFile> {
            let found = precisions.iter().map(|&one| self.weights_of(one));
            found.flatten().collect()
        };
        let Some(precision) = precision else {
            return of(&[Precision::Int8, Precision::Fp32, Precision::Int4]);
        };
        let mut found = of(&[precision]);
        let others = self.weights_of(Precision::Fp32).into_iter();
        found.extend(others.filter(|weights| match precision {
            Precision::Int8 => {
                weights.is_quantized_at_load(Some(precision)) && self.can_be_read(weights)
            }
            Precision::Fp16 | Precision::Bf16 => weights.named_precision() == Precision::Fp32,
            Precision::Fp32 | Precision::Int4 => false,
        }));
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
