//! The demo model: the default where no model is named.

use multivec::{EncoderBuilder, Result};

pub(crate) const NAME: &str = "minilm-colbert (embedded)";

/// The help of `--model`.
pub(crate) const MODEL_HELP: &str = if cfg!(demo_model) {
    "Model directory, or id [default: the embedded demo model]"
} else {
    "Model directory, or id; required, since this build embeds no demo model"
};

/// The embedded model.
#[cfg(demo_model)]
pub(crate) fn builder() -> Result<EncoderBuilder> {
    use multivec::{ModelBytes, Precision};

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!(env!("MULTIVEC_DEMO_MODEL"), "/", $name)).as_slice()
        };
    }
    Ok(EncoderBuilder::from_bytes(ModelBytes::new(
        file!("onnx_config.json"),
        file!("tokenizer.json"),
        file!("model_int8.onnx"),
        Precision::Int8,
    )))
}

/// Refuses, since there is no embedded model.
#[cfg(not(demo_model))]
pub(crate) fn builder() -> Result<EncoderBuilder> {
    Err(multivec::Error::option(
        "model",
        "a model directory, since this build embeds no demo model",
        "none",
    ))
}
