//! The precision of weights, by the names that exporters give to graphs.

use multivec_core::Precision;
use multivec_core::model::WeightsFile;

/// What the name of a file says. The weights of others are taken for FP32,
/// until they are read.
pub(super) fn of(weights: &WeightsFile) -> Precision {
    let path = weights.path();
    let name = path.rsplit('/').next().unwrap_or(path);
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if !matches!(weights, WeightsFile::Onnx(_)) {
        Precision::Fp32
    } else if has(&["int8", "quantized"]) {
        Precision::Int8
    } else if has(&["_q4", "_bnb4", "int4"]) {
        Precision::Int4
    } else if has(&["fp16", "_O4"]) {
        Precision::Fp16
    } else {
        Precision::Fp32
    }
}

/// The order among graphs of 8-bit integers: ours and that of PyLate's exporter
/// first, whose layers have a scale for each column; then those for any
/// processor, then those for one.
pub(super) fn rank(path: &str) -> usize {
    const NAMES: [&str; 7] = [
        "model_int8.onnx",
        "model_quantized.onnx",
        "model_qint8.onnx",
        "model_uint8.onnx",
        "model_quint8.onnx",
        "model_qint8_avx512_vnni.onnx",
        "model_qint8_avx512.onnx",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES
        .iter()
        .position(|known| *known == name)
        .unwrap_or(NAMES.len())
}
