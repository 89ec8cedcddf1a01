//! Layers of decoders that normalize what each part reads.

use super::{Biases, Form};
use crate::architectures::draft::Draft;
use crate::architectures::layers::{
    Context, FeedForward, HeadNorms, Inner, Projection, SelfAttention,
};
use crate::architectures::parameters::{Bias, HeadKeys, Key, RmsNorm, Scale};
use crate::blocks::Activation;
use crate::error::Result;

pub(super) struct Decoder {
    pub(super) attention: SelfAttention,
    feed_forward: FeedForward,
    pub(super) norm: RmsNorm,
}

impl Decoder {
    pub(super) fn read(draft: &Draft<'_>, form: &Form) -> Result<Self> {
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
        Ok(Self {
            attention: SelfAttention {
                projection: Projection::Apart([
                    "self_attn.q_proj",
                    "self_attn.k_proj",
                    "self_attn.v_proj",
                ]),
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
                inner: Inner::Pair {
                    activated: "mlp.gate_proj",
                    factor: "mlp.up_proj",
                },
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
        })
    }

    pub(super) fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        name: &str,
        context: &Context,
    ) -> Result<String> {
        let normal = draft.rms_norm(states, &format!("{name}.input_layernorm"), self.norm)?;
        let attended = self.attention.apply(draft, &normal, name, context)?;
        let states = draft.sum(states, &attended);
        let norm = format!("{name}.post_attention_layernorm");
        let normal = draft.rms_norm(&states, &norm, self.norm)?;
        let outer = self.feed_forward.apply(draft, &normal, name)?;
        Ok(draft.sum(&states, &outer))
    }
}
