//! Errors of ONNX Runtime as those of multivec.

use multivec_core::Error;

use super::ENGINE;

pub(super) fn invalid(file: &str, error: ort::Error) -> Error {
    Error::invalid_model(file, ENGINE, error)
}
