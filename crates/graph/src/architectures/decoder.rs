//! Decoders used as encoders, and encoders built like them: Llama, Qwen3,
//! EuroBERT.

use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::{Causal, Classifier, Dense, Function, Heads, Masked, Place, Pooling};
use super::layers::{Context, FeedForward, HeadNorms, Inner, Projection, SelfAttention};
use super::parameters::{Bias, HeadKeys, Key, Norm};
use super::rope;
use crate::blocks::{Activation, Mask, Positions, Rotary};
use crate::error::Result;

/// What a family has where the configuration says nothing, and what it has
/// that others have not.
struct Form {
    sight: Sight,
    /// Normalizations of heads of queries and keys.
    head_norms: Option<[&'static str; 2]>,
    head_columns: Option<usize>,
    epsilon: f64,
    rope_base: f64,
    max_positions: usize,
    heads: fn(&Config<'_>) -> Result<Heads>,
}

/// Which tokens a token sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    All,
    /// Those before it, unless the configuration says otherwise.
    Earlier,
}

const LLAMA: Form = Form {
    sight: Sight::Earlier,
    head_norms: None,
    head_columns: None,
    epsilon: 1e-6,
    rope_base: 10_000.,
    max_positions: 2048,
    heads: causal_heads,
};

const QWEN3: Form = Form {
    head_norms: Some(["self_attn.q_norm", "self_attn.k_norm"]),
    head_columns: Some(128),
    max_positions: 32_768,
    ..LLAMA
};

pub(super) fn llama(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, &LLAMA)
}

/// Llama that sees all tokens.
pub(super) fn llama_bidirectional(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        sight: Sight::All,
        heads: |_| Ok(Heads::default()),
        ..LLAMA
    };
    encoder(draft, &form)
}

pub(super) fn qwen3(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, &QWEN3)
}

/// Qwen3 that sees all tokens.
pub(super) fn qwen3_bidirectional(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        sight: Sight::All,
        heads: |_| Ok(Heads::default()),
        ..QWEN3
    };
    encoder(draft, &form)
}

pub(super) fn eurobert(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        sight: Sight::All,
        epsilon: 1e-5,
        rope_base: 250_000.,
        max_positions: 8192,
        heads: eurobert_heads,
        ..LLAMA
    };
    encoder(draft, &form)
}

/// Labels and tokens from the last row.
fn causal_heads(_: &Config<'_>) -> Result<Heads> {
    Ok(Heads {
        masked: None,
        classifier: Some(Classifier {
            pooling: Pooling::Last,
            dense: None,
            output: "score",
            bias: Bias::Absent,
        }),
        causal: Some(Causal { decoder: "lm_head" }),
    })
}

fn eurobert_heads(config: &Config<'_>) -> Result<Heads> {
    // The models' own code has the older name.
    let keys = ["classifier_pooling", "clf_pooling"];
    let key = keys.into_iter().find(|key| config.get(key).is_some());
    let key = key.unwrap_or(keys[0]);
    let pooling = match config.text(key)?.unwrap_or("late") {
        "bos" => Pooling::First,
        "mean" => Pooling::Mean,
        "late" => Pooling::MeanOfDense,
        other => {
            let found = format!("`{other}`");
            return Err(config.refuse(key, "bos, mean or late", found));
        }
    };
    Ok(Heads {
        masked: Some(Masked {
            transform: None,
            decoder: "lm_head",
            biases: if config.is_set("mlp_bias")? {
                &["lm_head.bias"]
            } else {
                &[]
            },
        }),
        classifier: Some(Classifier {
            pooling,
            dense: Some(Dense {
                name: "dense",
                place: Place::Root,
                bias: Bias::Present,
                function: Function::Fixed(Activation::Gelu),
                norm: None,
            }),
            output: "classifier",
            bias: Bias::Present,
        }),
        causal: None,
    })
}

struct Decoder {
    attention: SelfAttention,
    feed_forward: FeedForward,
    norm: Norm,
}

fn encoder(draft: &mut Draft<'_>, form: &Form) -> Result<Encoder> {
    let config = draft.config;
    config.forbid(&["use_sliding_window"])?;
    if let Some(kinds) = config.texts("layer_types")?
        && let Some(kind) = kinds.iter().find(|&&kind| kind != "full_attention")
    {
        return Err(config.refuse("layer_types", "`full_attention`", format!("`{kind}`")));
    }
    if let Some(found) = config.get("clip_qkv") {
        return Err(config.refuse("clip_qkv", "none", found));
    }
    let model = Decoder::read(draft, form)?;
    let width = model.norm.width;
    let base = rope::base(config, "rope_theta", form.rope_base)?;
    let mut states = draft.words("embed_tokens.weight", width)?;
    let positions = Positions::of_inputs(&mut draft.builder);
    let builder = &mut draft.builder;
    let sees_all = form.sight == Sight::All
        || config.flag("is_causal")? == Some(false)
        || config.is_set("use_bidirectional_attention")?;
    let frequencies = rope::frequencies(config, base, model.attention.heads)?;
    let context = Context {
        mask: if sees_all {
            Mask::padding(builder)
        } else {
            Mask::causal(builder, &positions)
        },
        rotary: Some(Rotary::new(builder, &positions, frequencies)),
    };
    for layer in 0..config.layers("num_hidden_layers", 32)? {
        states = model.layer(draft, &states, &format!("layers.{layer}"), &context)?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", form.max_positions)?),
        inputs: Inputs::Ids,
        heads: (form.heads)(config)?,
    })
}

impl Decoder {
    fn read(draft: &Draft<'_>, form: &Form) -> Result<Self> {
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
        Ok(Self {
            attention: SelfAttention {
                projection: Projection::Apart([
                    "self_attn.q_proj",
                    "self_attn.k_proj",
                    "self_attn.v_proj",
                ]),
                output: "self_attn.o_proj",
                head_norms: form.head_norms.map(|names| HeadNorms { names, epsilon }),
                width,
                heads: draft.heads(width, heads)?,
                bias: flagged("attention_bias")?,
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
            norm: Norm {
                width,
                epsilon,
                bias: Bias::Absent,
            },
        })
    }

    fn layer(
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
