//! The demo model, embedded: the default where no model is named.

use multivec::{ModelBytes, Precision};

pub(super) const NAME: &str = "minilm-colbert (embedded)";

pub(super) fn model() -> ModelBytes {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../../models/minilm-colbert/", $name)).to_vec()
        };
    }
    ModelBytes {
        config: file!("onnx_config.json"),
        tokenizer: file!("tokenizer.json"),
        model: file!("model_int8.onnx"),
        precision: Precision::Int8,
    }
}
