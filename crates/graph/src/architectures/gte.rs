//! GTE: `NewModel` of Alibaba-NLP/new-impl, which Snowflake calls `gte`.

use super::bert::WORDS;
use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::{Function, Heads, Masked, Transform};
use super::layers::{Inner, Projection};
use super::parameters::{Bias, Norm};
use super::post_norm::{KEYS, Names, PostNorm};
use super::rope;
use crate::blocks::{Activation, Heads as AttentionHeads};
use crate::error::Result;

const NAMES: Names = Names {
    layers: "encoder.layer",
    projection: Projection::Together("attention.qkv_proj"),
    output: "attention.o_proj",
    output_norm: "attn_ln",
    inner: Inner::FactorThenActivated("mlp.up_gate_proj"),
    outer: "mlp.down_proj",
    outer_norm: "mlp_ln",
};

const APART: Projection =
    Projection::Apart(["attention.q_proj", "attention.k_proj", "attention.v_proj"]);

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    config.only("position_embedding_type", "rope")?;
    config.only("layer_norm_type", "layer_norm")?;
    config.forbid(&["logn_attention_scale"])?;
    let mut layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    layers.feed_forward.inner_bias = Bias::Absent;
    if config.flag("pack_qkv")? == Some(false) {
        layers.attention.projection = APART;
    }
    let width = layers.width();
    let frequencies = frequencies(config, layers.attention.heads)?;
    let words = draft.words(WORDS, width)?;
    let (embedded, inputs) = match config.index("type_vocab_size", 1)? {
        0 => (words, Inputs::Ids),
        _ => draft.add_types(&words, width)?,
    };
    let states = draft.layer_norm(&embedded, "embeddings.LayerNorm", layers.norm)?;
    let context = rope::context(&mut draft.builder, frequencies);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 2048)?),
        inputs,
        heads: heads(layers.norm),
    })
}

/// Frequencies of the rotary embedding, scaled as their code does for texts of
/// every length.
fn frequencies(config: &Config<'_>, heads: AttentionHeads) -> Result<Vec<f32>> {
    let base = config.number("rope_theta", 10_000.)?;
    let Some(scaling) = config.section("rope_scaling")? else {
        return rope::frequencies(config, base, heads);
    };
    scaling.only("type", "ntk")?;
    if scaling.get("mixed_b").is_some() {
        return Err(scaling.refuse("mixed_b", "none", "one"));
    }
    let factor = scaling.number("factor", 1.)?;
    let divisor = factor.powf(2. / heads.columns as f64) as f32;
    let scaled = rope::frequencies(config, base * factor, heads)?;
    Ok(scaled.into_iter().map(|angle| angle / divisor).collect())
}

/// BERT's, with other names for predictions.
fn heads(norm: Norm) -> Heads {
    Heads {
        masked: Some(Masked {
            transform: Some(Transform {
                dense: "lm_head.dense",
                bias: Bias::Present,
                function: Function::Stated("hidden_act", Activation::Gelu),
                norm_name: "lm_head.norm",
                norm,
            }),
            decoder: "lm_head.decoder",
            biases: &["lm_head.decoder.bias"],
        }),
        ..Heads::bert(norm)
    }
}
