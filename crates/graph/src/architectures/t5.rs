//! The encoder of T5: sentence-t5, GTR.

use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{FeedForward, Inner, Projection, SelfAttention};
use super::parameters::{Bias, HeadKeys, Key, RmsNorm, Scale};
use super::pre_norm::{Around, PreNorm};
use super::relative::Distances;
use crate::blocks::{Activation, Heads as AttentionHeads};
use crate::error::Result;

const WORDS: &str = "shared.weight";

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let model = read(draft)?;
    let width = model.norm.width;
    let heads = model.attention.heads.count;
    let mut states = draft.words(WORDS, width)?;
    let distances = Distances::stated(config, Some("relative_attention_max_distance"))?;
    let table = "layer.0.SelfAttention.relative_attention_bias.weight";
    let table = format!("encoder.block.0.{table}");
    let context = distances.context(draft, &[&table], heads)?;
    for layer in 0..config.layers("num_layers", 6)? {
        states = model.layer(draft, &states, &format!("encoder.block.{layer}"), &context)?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "encoder.final_layer_norm", model.norm)?,
        width,
        max_positions: None,
        inputs: Inputs::Ids,
        heads: Heads::default(),
    })
}

/// The function of the feed-forward layers, and whether its result is multiplied by
/// that of a second layer.
fn feed_forward(config: &Config<'_>) -> Result<(Activation, Inner)> {
    let key = "feed_forward_proj";
    let stated = config.text(key)?.unwrap_or("relu");
    let (name, inner) = match stated.strip_prefix("gated-") {
        Some(name) => {
            let pair = Inner::Pair {
                activated: "layer.1.DenseReluDense.wi_0",
                factor: "layer.1.DenseReluDense.wi_1",
            };
            (name, pair)
        }
        None => (stated, Inner::Plain("layer.1.DenseReluDense.wi")),
    };
    // As transformers has it for models that were published so.
    let name = if stated == "gated-gelu" {
        "gelu_new"
    } else {
        name
    };
    match Activation::named(name) {
        Some(activation) => Ok((activation, inner)),
        None => {
            let expected = format!("{}, or `gated-` and one of these", Activation::NAMES);
            Err(config.refuse(key, expected, format!("`{stated}`")))
        }
    }
}

fn read(draft: &Draft<'_>) -> Result<PreNorm> {
    let config = draft.config;
    let width = config.size("d_model", 512)?;
    let keys = HeadKeys {
        columns: Some(config.size("d_kv", 64)?),
        ..HeadKeys::plain(Key("num_heads", 8))
    };
    let heads = AttentionHeads {
        // Part of the weights of queries.
        scale: 1.,
        ..draft.heads(width, keys)?
    };
    let (activation, inner) = feed_forward(config)?;
    Ok(PreNorm {
        attention: SelfAttention {
            projection: Projection::Apart([
                "layer.0.SelfAttention.q",
                "layer.0.SelfAttention.k",
                "layer.0.SelfAttention.v",
            ]),
            output: "layer.0.SelfAttention.o",
            head_norms: None,
            width,
            heads,
            bias: Bias::Absent,
            output_bias: Bias::Absent,
        },
        feed_forward: FeedForward {
            inner,
            outer: "layer.1.DenseReluDense.wo",
            width,
            intermediate: config.size("d_ff", 2048)?,
            activation,
            inner_bias: Bias::Absent,
            outer_bias: Bias::Absent,
        },
        norm: RmsNorm {
            width,
            epsilon: config.number("layer_norm_epsilon", 1e-6)? as f32,
            scale: Scale::Stored,
        },
        around_attention: Around::before("layer.0.layer_norm"),
        around_feed_forward: Around::before("layer.1.layer_norm"),
    })
}
