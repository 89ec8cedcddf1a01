//! Layers of decoders that normalize what each part reads.

use super::{Biases, Form};
use crate::architectures::draft::Draft;
use crate::architectures::layers::{FeedForward, HeadNorms, Inner, Projection, SelfAttention};
use crate::architectures::parameters::{Bias, HeadKeys, Key, RmsNorm, Scale};
use crate::architectures::pre_norm::{Around, PreNorm};
use crate::blocks::Activation;
use crate::error::Result;

/// The layers as a form and the configuration say.
pub(super) fn read(draft: &Draft<'_>, form: &Form) -> Result<PreNorm> {
    let config = draft.config;
    let width = config.size("hidden_size", 4096)?;
    let heads = HeadKeys {
        count: Key("num_attention_heads", 32),
        of_keys: Some("num_key_value_heads"),
        columns: form.head_columns,
    };
    let epsilon = config.number("rms_norm_eps", form.epsilon)? as f32;
    let flagged = |key| config.is_set(key).map(Bias::flagged);
    let mlp_bias = flagged("mlp_bias")?;
    let [bias, output_bias] = match form.biases {
        Biases::Flagged => [flagged("attention_bias")?; 2],
        Biases::OfProjections => [Bias::Present, Bias::Absent],
    };
    Ok(PreNorm {
        attention: SelfAttention {
            projection: Projection::OF_DECODERS,
            output: "self_attn.o_proj",
            head_norms: form.head_norms.map(|names| HeadNorms {
                names,
                epsilon,
                scale: Scale::Stored,
            }),
            width,
            heads: draft.heads(width, heads)?,
            bias,
            output_bias,
        },
        feed_forward: FeedForward {
            inner: Inner::OF_DECODERS,
            outer: "mlp.down_proj",
            width,
            intermediate: config.size("intermediate_size", 11_008)?,
            activation: config.activation("hidden_act", Activation::Silu)?,
            inner_bias: mlp_bias,
            outer_bias: mlp_bias,
        },
        norm: RmsNorm {
            width,
            epsilon,
            scale: Scale::Stored,
        },
        around_attention: Around::before("input_layernorm"),
        around_feed_forward: Around::before("post_attention_layernorm"),
    })
}
