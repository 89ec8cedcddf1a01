//! Decoders used as encoders, and encoders built like them: Llama, Qwen3,
//! EuroBERT.

use super::draft::{Bias, Draft, Encoder, HeadKeys, Inputs, Norm, Projections, Sizes};
use super::rope;
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, Rotary};
use crate::error::Result;

/// What a family has where the configuration says nothing, and what it has
/// that others have not.
struct Form {
    sight: Sight,
    /// Heads of queries and keys are normalized.
    normalizes_heads: bool,
    head_columns: Option<usize>,
    epsilon: f64,
    rope_base: f64,
    max_positions: usize,
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
    normalizes_heads: false,
    head_columns: None,
    epsilon: 1e-6,
    rope_base: 10_000.,
    max_positions: 2048,
};

const QWEN3: Form = Form {
    normalizes_heads: true,
    head_columns: Some(128),
    max_positions: 32_768,
    ..LLAMA
};

pub(super) fn llama(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, &LLAMA)
}

/// Llama that sees all tokens.
pub(super) fn llama_bidirectional(draft: &mut Draft<'_>) -> Result<Encoder> {
    let sight = Sight::All;
    encoder(draft, &Form { sight, ..LLAMA })
}

pub(super) fn qwen3(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, &QWEN3)
}

/// Qwen3 that sees all tokens.
pub(super) fn qwen3_bidirectional(draft: &mut Draft<'_>) -> Result<Encoder> {
    let sight = Sight::All;
    encoder(draft, &Form { sight, ..QWEN3 })
}

pub(super) fn eurobert(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        sight: Sight::All,
        epsilon: 1e-5,
        rope_base: 250_000.,
        max_positions: 8192,
        ..LLAMA
    };
    encoder(draft, &form)
}

struct Decoder {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
    attention_bias: Bias,
    mlp_bias: Bias,
    normalizes_heads: bool,
    mask: Mask,
    rotary: Rotary,
}

fn encoder(draft: &mut Draft<'_>, form: &Form) -> Result<Encoder> {
    let config = draft.config;
    let width = config.size("hidden_size", 4096)?;
    let heads = HeadKeys {
        count: "num_attention_heads",
        default: 32,
        of_keys: Some("num_key_value_heads"),
        columns: form.head_columns,
    };
    let heads = draft.heads(width, heads)?;
    config.forbid(&["use_sliding_window"])?;
    if let Some(kinds) = config.texts("layer_types")?
        && let Some(kind) = kinds.iter().find(|&&kind| kind != "full_attention")
    {
        return Err(config.refuse("layer_types", "`full_attention`", format!("`{kind}`")));
    }
    if config.get("clip_qkv").is_some() {
        return Err(config.refuse("clip_qkv", "none", "one"));
    }
    let base = rope::base(config, "rope_theta", form.rope_base)?;
    draft.weights.find_prefix("embed_tokens.weight")?;
    let words = draft.table("embed_tokens.weight", width)?;
    let mut states = draft.lookup(&words, "input_ids");
    let positions = Positions::of_inputs(&mut draft.builder);
    let builder = &mut draft.builder;
    let sees_all = form.sight == Sight::All
        || config.flag("is_causal")? == Some(false)
        || config.is_set("use_bidirectional_attention")?;
    let model = Decoder {
        width,
        heads,
        intermediate: config.size("intermediate_size", 11_008)?,
        activation: config.activation("hidden_act", Activation::Silu)?,
        norm: Norm {
            width,
            epsilon: config.number("rms_norm_eps", form.epsilon)? as f32,
            bias: Bias::Absent,
        },
        attention_bias: Bias::flagged(config.is_set("attention_bias")?),
        mlp_bias: Bias::flagged(config.is_set("mlp_bias")?),
        normalizes_heads: form.normalizes_heads,
        mask: if sees_all {
            Mask::padding(builder)
        } else {
            Mask::causal(builder, &positions)
        },
        rotary: Rotary::new(
            builder,
            &positions,
            Rotary::frequencies(base, heads.columns),
        ),
    };
    for layer in 0..config.layers("num_hidden_layers", 32)? {
        states = model.layer(draft, &states, &format!("layers.{layer}"))?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", form.max_positions)?),
        inputs: Inputs::Ids,
    })
}

impl Decoder {
    fn layer(&self, draft: &mut Draft<'_>, states: &str, name: &str) -> Result<String> {
        let normal = draft.rms_norm(states, &format!("{name}.input_layernorm"), self.norm)?;
        let attention = format!("{name}.self_attn");
        let projections = Projections {
            names: ["q_proj", "k_proj", "v_proj"].map(|part| format!("{attention}.{part}")),
            inner: self.width,
            bias: self.attention_bias,
        };
        let mut operands = draft.project(&normal, projections, self.heads)?;
        if self.normalizes_heads {
            let norm = Norm {
                width: self.heads.columns,
                ..self.norm
            };
            for (operand, part) in operands.iter_mut().zip(["q_norm", "k_norm"]) {
                *operand = draft.rms_norm(operand, &format!("{attention}.{part}"), norm)?;
            }
        }
        let parameters = Attention {
            heads: self.heads,
            mask: &self.mask,
            rotary: Some(&self.rotary),
        };
        let context = parameters.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{attention}.o_proj");
        let attended = draft.linear(&context, &output, sizes, self.attention_bias)?;
        let states = draft.sum(states, &attended);

        let norm = format!("{name}.post_attention_layernorm");
        let normal = draft.rms_norm(&states, &norm, self.norm)?;
        let sizes = Sizes::new(self.width, self.intermediate);
        let mlp = |part: &str| format!("{name}.mlp.{part}");
        let gate = draft.linear(&normal, &mlp("gate_proj"), sizes, self.mlp_bias)?;
        let up = draft.linear(&normal, &mlp("up_proj"), sizes, self.mlp_bias)?;
        let gate = self.activation.apply(&mut draft.builder, &gate);
        let inner = draft.builder.add("Mul", &[&gate, &up]);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &mlp("down_proj"), sizes, self.mlp_bias)?;
        Ok(draft.sum(&states, &outer))
    }
}
