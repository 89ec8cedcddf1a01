//! NomicBERT, as transformers has it, and as the models' own code does
//! (`modeling_hf_nomic_bert.py`), which names its options as GPT-2 does.

use super::bert::WORDS;
use super::config::Config;
use super::draft::Draft;
use super::encoder::Encoder;
use super::heads::{Function, Heads, Masked, Transform};
use super::layers::{Inner, Projection};
use super::parameters::{Bias, Key, Norm};
use super::post_norm::{self, Keys, Names, PostNorm};
use super::rope;
use crate::blocks::Activation;
use crate::error::Result;

const GPT2_KEYS: Keys = Keys {
    width: Key("n_embd", 768),
    heads: Key("n_head", 12),
    layers: Key("n_layer", 12),
    intermediate: Key("n_inner", 3072),
    // Names other functions than transformers does.
    activation: None,
    epsilon: ("layer_norm_epsilon", 1e-5),
};

const NAMES: Names = Names {
    layers: "encoder.layers",
    projection: Projection::Together("attn.Wqkv"),
    output: "attn.out_proj",
    output_norm: "norm1",
    inner: Inner::Pair {
        activated: "mlp.fc12",
        factor: "mlp.fc11",
    },
    outer: "mlp.fc2",
    outer_norm: "norm2",
};

/// What the two codes tell in different ways.
struct Nomic {
    layers: PostNorm,
    rope_base: f64,
    heads: fn(Norm) -> Heads,
    max_positions: usize,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let Nomic {
        layers,
        rope_base,
        heads,
        max_positions,
    } = if draft.config.has("n_embd") {
        original(draft)?
    } else {
        of_transformers(draft)?
    };
    let width = layers.width();
    let words = draft.words(WORDS, width)?;
    let (embedded, inputs) = draft.add_types(&words, width)?;
    let states = draft.layer_norm(&embedded, "emb_ln", layers.norm)?;
    let frequencies = rope::frequencies(draft.config, rope_base, layers.attention.heads)?;
    let context = rope::context(&mut draft.builder, frequencies);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(max_positions),
        inputs,
        heads: heads(layers.norm),
    })
}

fn of_transformers(draft: &Draft<'_>) -> Result<Nomic> {
    let config = draft.config;
    let mut layers = PostNorm::read(draft, &post_norm::KEYS, &NAMES)?;
    layers.attention.bias = Bias::Absent;
    layers.attention.output_bias = Bias::Absent;
    let feed_forward = &mut layers.feed_forward;
    feed_forward.activation = config.activation("hidden_act", Activation::Silu)?;
    feed_forward.inner_bias = Bias::Absent;
    feed_forward.outer_bias = Bias::Absent;
    Ok(Nomic {
        layers,
        rope_base: rope::base(config, "rope_theta", 1000.)?,
        heads: of_transformers_heads,
        max_positions: config.size("max_position_embeddings", 2048)?,
    })
}

/// BERT's, with another name of the normalization and another function where
/// none is stated.
fn of_transformers_heads(norm: Norm) -> Heads {
    let heads = Heads::bert(norm);
    let transform = Transform {
        dense: "cls.predictions.transform.dense",
        bias: Bias::Present,
        function: Function::Stated("hidden_act", Activation::Silu),
        norm_name: "cls.predictions.transform.layer_norm",
        norm,
    };
    Heads {
        masked: heads.masked.map(|masked| Masked {
            transform: Some(transform),
            ..masked
        }),
        ..heads
    }
}

fn original(draft: &Draft<'_>) -> Result<Nomic> {
    let config = draft.config;
    refuse_others(config)?;
    let mut layers = PostNorm::read(draft, &GPT2_KEYS, &NAMES)?;
    let feed_forward = &mut layers.feed_forward;
    let key = "activation_function";
    match config.text(key)?.unwrap_or("gelu") {
        "swiglu" => feed_forward.activation = Activation::Silu,
        "geglu" => feed_forward.activation = Activation::Gelu,
        // Their code takes the exact function for all of these names.
        "gelu" | "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => {
            feed_forward.activation = Activation::Gelu;
            feed_forward.inner = Inner::Plain("mlp.fc1");
        }
        other => {
            let expected = "swiglu, geglu or gelu";
            return Err(config.refuse(key, expected, format!("`{other}`")));
        }
    }
    let bias = |key| {
        config
            .flag(key)
            .map(|flag| Bias::flagged(flag != Some(false)))
    };
    feed_forward.inner_bias = bias("mlp_fc1_bias")?;
    feed_forward.outer_bias = bias("mlp_fc2_bias")?;
    layers.attention.bias = bias("qkv_proj_bias")?;
    layers.attention.output_bias = layers.attention.bias;
    let mut max_positions = config.size("n_positions", 2048)?;
    if config.get("rotary_scaling_factor").is_some() {
        // Beyond these, angles would depend on the text's length.
        max_positions = max_positions.min(config.size("max_trained_positions", 2048)?);
    }
    Ok(Nomic {
        layers,
        rope_base: config.number("rotary_emb_base", 10_000.)?,
        heads: |_| Heads::default(),
        max_positions,
    })
}

/// Refuses options of the models' own code that change what is computed.
fn refuse_others(config: &Config<'_>) -> Result<()> {
    config.forbid(&[
        "prenorm",
        "use_rms_norm",
        "causal",
        "parallel_block",
        "rotary_emb_interleaved",
        "norm_mlp",
    ])?;
    rope::whole(config, "rotary_emb_fraction")?;
    for key in ["moe_every_n_layers", "num_experts"] {
        let count = config.index(key, 0)?;
        if count > 0 {
            return Err(config.refuse(key, "0", count));
        }
    }
    match config.get("rotary_emb_scale_base") {
        Some(found) => Err(config.refuse("rotary_emb_scale_base", "none", found)),
        None => Ok(()),
    }
}
