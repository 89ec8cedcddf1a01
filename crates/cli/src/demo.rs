//! The demo model: the default where no model is named.

use multivec::{EncoderBuilder, Result};

pub(crate) const NAME: &str = "minilm-colbert (embedded)";

/// The model that the build embedded.
#[cfg(demo_model)]
pub(crate) fn builder() -> Result<EncoderBuilder> {
    use multivec::{ModelBytes, Precision};

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!(env!("MULTIVEC_DEMO_MODEL"), "/", $name)).to_vec()
        };
    }
    Ok(EncoderBuilder::from_bytes(ModelBytes {
        config: file!("onnx_config.json"),
        tokenizer: file!("tokenizer.json"),
        model: file!("model_int8.onnx"),
        precision: Precision::Int8,
    }))
}

/// A build without the model.
#[cfg(not(demo_model))]
pub(crate) fn builder() -> Result<EncoderBuilder> {
    Err(multivec::Error::option(
        "model",
        "a model directory, since this build embeds no demo model",
        "none",
    ))
}
