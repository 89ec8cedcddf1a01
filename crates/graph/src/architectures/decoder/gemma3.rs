//! Gemma 3, causal or, as in EmbeddingGemma, not.

use super::heads::causal_heads;
use crate::architectures::config::Config;
use crate::architectures::draft::{Draft, Inputs};
use crate::architectures::encoder::Encoder;
use crate::architectures::layers::{
    Context, FeedForward, HeadNorms, Inner, Projection, SelfAttention,
};
use crate::architectures::parameters::{Bias, HeadKeys, Key, RmsNorm, Scale};
use crate::architectures::pre_norm::{Around, PreNorm};
use crate::architectures::rope;
use crate::architectures::sight::{self, Contexts, Kind};
use crate::blocks::{Activation, Heads, Mask, Positions, Rotary};
use crate::error::Result;

pub(in super::super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if let Some(found) = config.get(key) {
            return Err(config.refuse(key, "none", found));
        }
    }
    let model = read(draft)?;
    let width = model.norm.width;
    let words = draft.words("embed_tokens.weight", width)?;
    let scale = draft.builder.float((width as f64).sqrt() as f32);
    let mut states = draft.builder.add("Mul", &[&words, &scale]);
    let positions = Positions::of_inputs(&mut draft.builder);
    let kinds = layer_kinds(config)?;
    let contexts = Contexts::of(&kinds, |kind| {
        context(draft, model.attention.heads, kind, &positions)
    })?;
    for (layer, kind) in kinds.into_iter().enumerate() {
        let name = format!("layers.{layer}");
        states = model.layer(draft, &states, &name, contexts.get(kind))?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 131_072)?),
        inputs: Inputs::Ids,
        heads: causal_heads(config)?,
    })
}

/// The kind of each layer: listed, or every few layers a full one.
fn layer_kinds(config: &Config<'_>) -> Result<Vec<Kind>> {
    // Older configurations have the second.
    let every = config.size("sliding_window_pattern", 6)?;
    let every = config.size("_sliding_window_pattern", every)?;
    sight::kinds(config, config.layers("num_hidden_layers", 26)?, |layer| {
        if (layer + 1).is_multiple_of(every) {
            Kind::Full
        } else {
            Kind::Sliding
        }
    })
}

/// The base of the rotary embedding of a kind of layers.
fn rope_base(config: &Config<'_>, kind: Kind) -> Result<f64> {
    let (key, default) = match kind {
        Kind::Full => ("rope_theta", 1_000_000.),
        Kind::Sliding => ("rope_local_base_freq", 10_000.),
    };
    if kind == Kind::Full {
        rope::scaling(config)?;
    }
    let stated = config.number(key, default)?;
    match config.section("rope_parameters")? {
        Some(parameters) => match parameters.section(kind.name())? {
            Some(parameters) => rope::base_of(&parameters, stated),
            None => Ok(stated),
        },
        None => Ok(stated),
    }
}

fn read(draft: &Draft<'_>) -> Result<PreNorm> {
    let config = draft.config;
    let width = config.size("hidden_size", 2304)?;
    let keys = HeadKeys {
        count: Key("num_attention_heads", 8),
        of_keys: Some("num_key_value_heads"),
        columns: Some(256),
    };
    let stated = config.number("query_pre_attn_scalar", 256.)?;
    if stated <= 0. {
        return Err(config.refuse("query_pre_attn_scalar", "a number above 0", stated));
    }
    let heads = Heads {
        scale: stated.sqrt().recip() as f32,
        ..draft.heads(width, keys)?
    };
    let epsilon = config.number("rms_norm_eps", 1e-6)? as f32;
    let scale = Scale::StoredLessOne;
    let bias = Bias::flagged(config.is_set("attention_bias")?);
    Ok(PreNorm {
        attention: SelfAttention {
            projection: Projection::OF_DECODERS,
            output: "self_attn.o_proj",
            head_norms: Some(HeadNorms {
                names: ["self_attn.q_norm", "self_attn.k_norm"],
                epsilon,
                scale,
            }),
            width,
            heads,
            bias,
            output_bias: bias,
        },
        feed_forward: FeedForward {
            inner: Inner::OF_DECODERS,
            outer: "mlp.down_proj",
            width,
            intermediate: config.size("intermediate_size", 9216)?,
            activation: config.activation("hidden_activation", Activation::GeluTanh)?,
            inner_bias: Bias::Absent,
            outer_bias: Bias::Absent,
        },
        norm: RmsNorm {
            width,
            epsilon,
            scale,
        },
        around_attention: Around {
            before: "input_layernorm",
            after: Some("post_attention_layernorm"),
        },
        around_feed_forward: Around {
            before: "pre_feedforward_layernorm",
            after: Some("post_feedforward_layernorm"),
        },
    })
}

/// What layers of a kind have in common.
fn context(
    draft: &mut Draft<'_>,
    heads: Heads,
    kind: Kind,
    positions: &Positions,
) -> Result<Context> {
    let config = draft.config;
    let base = rope_base(config, kind)?;
    let frequencies = rope::frequencies(config, base, heads)?;
    let window = config.size("sliding_window", 4096)? as i64;
    let sees_all = config.is_set("use_bidirectional_attention")?;
    let builder = &mut draft.builder;
    let mask = match (kind, sees_all) {
        (Kind::Full, true) => Mask::padding(builder),
        (Kind::Full, false) => Mask::causal(builder, positions),
        // Half of the window on each side.
        (Kind::Sliding, true) => Mask::windowed(builder, positions, window / 2),
        (Kind::Sliding, false) => Mask::causal_window(builder, positions, window),
    };
    Ok(Context {
        mask,
        rotary: Some(Rotary::new(builder, positions, frequencies)),
    })
}
