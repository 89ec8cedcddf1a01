//! NomicBERT, as transformers has it, and as the models' own code does
//! (`modeling_hf_nomic_bert.py`), which names its options as GPT-2 does.

use super::config::Config;
use super::draft::{Bias, Draft, Encoder, HeadKeys, Norm, PackedHeads, Sizes};
use super::rope;
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, Rotary};
use crate::error::Result;

struct Nomic {
    width: usize,
    heads: Heads,
    intermediate: usize,
    feed_forward: FeedForward,
    norm: Norm,
    biases: Biases,
    mask: Mask,
    rotary: Rotary,
}

/// The layers after attention.
#[derive(Clone, Copy)]
enum FeedForward {
    Plain(Activation),
    /// The second of two products is activated.
    Gated(Activation),
}

#[derive(Clone, Copy)]
struct Biases {
    attention: Bias,
    inner: Bias,
    outer: Bias,
}

/// The keys of sizes.
struct Keys {
    width: &'static str,
    heads: &'static str,
    layers: &'static str,
    intermediate: &'static str,
    epsilon: &'static str,
    positions: &'static str,
}

const KEYS: Keys = Keys {
    width: "hidden_size",
    heads: "num_attention_heads",
    layers: "num_hidden_layers",
    intermediate: "intermediate_size",
    epsilon: "layer_norm_eps",
    positions: "max_position_embeddings",
};

const GPT2_KEYS: Keys = Keys {
    width: "n_embd",
    heads: "n_head",
    layers: "n_layer",
    intermediate: "n_inner",
    epsilon: "layer_norm_epsilon",
    positions: "n_positions",
};

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let is_original = config.has(GPT2_KEYS.width);
    let keys = if is_original { &GPT2_KEYS } else { &KEYS };
    let (feed_forward, biases, base) = if is_original {
        original(config)?
    } else {
        let feed_forward = FeedForward::Gated(config.activation("hidden_act", Activation::Silu)?);
        let biases = Biases {
            attention: Bias::Absent,
            inner: Bias::Absent,
            outer: Bias::Absent,
        };
        (
            feed_forward,
            biases,
            rope::base(config, "rope_theta", 1000.)?,
        )
    };
    let width = config.size(keys.width, 768)?;
    let heads = draft.heads(width, HeadKeys::plain(keys.heads))?;
    let norm = Norm {
        width,
        epsilon: config.number(keys.epsilon, 1e-12)? as f32,
        bias: Bias::Present,
    };
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let words = draft.table("embeddings.word_embeddings.weight", width)?;
    let words = draft.lookup(&words, "input_ids");
    let (embedded, inputs) = draft.add_types(&words, width)?;
    let mut states = draft.layer_norm(&embedded, "emb_ln", norm)?;
    let builder = &mut draft.builder;
    let positions = Positions::of_inputs(builder);
    let model = Nomic {
        width,
        heads,
        intermediate: config.size(keys.intermediate, 3072)?,
        feed_forward,
        norm,
        biases,
        mask: Mask::padding(builder),
        rotary: Rotary::new(
            builder,
            &positions,
            Rotary::frequencies(base, heads.columns),
        ),
    };
    for layer in 0..config.layers(keys.layers, 12)? {
        states = model.layer(draft, &states, &format!("encoder.layers.{layer}"))?;
    }
    let mut max_positions = config.size(keys.positions, 2048)?;
    if config.get("rotary_scaling_factor").is_some() {
        // Beyond these, angles would depend on the text's length.
        max_positions = max_positions.min(config.size("max_trained_positions", 2048)?);
    }
    Ok(Encoder {
        output: states,
        width,
        max_positions: Some(max_positions),
        inputs,
    })
}

/// Options of the models' own code.
fn original(config: &Config<'_>) -> Result<(FeedForward, Biases, f64)> {
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
        if config.index(key, 0)? > 0 {
            return Err(config.refuse(key, "0", config.index(key, 0)?));
        }
    }
    if config.get("rotary_emb_scale_base").is_some() {
        return Err(config.refuse("rotary_emb_scale_base", "none", "one"));
    }
    let name = config.text("activation_function")?.unwrap_or("gelu");
    let feed_forward = match name {
        "swiglu" => FeedForward::Gated(Activation::Silu),
        "geglu" => FeedForward::Gated(Activation::Gelu),
        // Their code takes the exact function for these names, too.
        "gelu" | "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => {
            FeedForward::Plain(Activation::Gelu)
        }
        other => {
            let expected = "swiglu, geglu or gelu";
            return Err(config.refuse("activation_function", expected, format!("`{other}`")));
        }
    };
    let bias = |key| Ok(Bias::flagged(config.flag(key)?.unwrap_or(true)));
    let biases = Biases {
        attention: bias("qkv_proj_bias")?,
        inner: bias("mlp_fc1_bias")?,
        outer: bias("mlp_fc2_bias")?,
    };
    Ok((
        feed_forward,
        biases,
        config.number("rotary_emb_base", 10_000.)?,
    ))
}

impl Nomic {
    fn layer(&self, draft: &mut Draft<'_>, states: &str, name: &str) -> Result<String> {
        let packed = PackedHeads {
            heads: self.heads,
            bias: self.biases.attention,
        };
        let operands =
            draft.project_packed(states, &format!("{name}.attn.Wqkv"), self.width, packed)?;
        let attention = Attention {
            heads: self.heads,
            mask: &self.mask,
            rotary: Some(&self.rotary),
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{name}.attn.out_proj");
        let attended = draft.linear(&context, &output, sizes, self.biases.attention)?;
        let norm = format!("{name}.norm1");
        let states = draft.sum_norm([&attended, states], &norm, self.norm)?;

        let sizes = Sizes::new(self.width, self.intermediate);
        let mlp = |part: &str| format!("{name}.mlp.{part}");
        let inner = match self.feed_forward {
            FeedForward::Plain(activation) => {
                let inner = draft.linear(&states, &mlp("fc1"), sizes, self.biases.inner)?;
                activation.apply(&mut draft.builder, &inner)
            }
            FeedForward::Gated(activation) => {
                let up = draft.linear(&states, &mlp("fc11"), sizes, self.biases.inner)?;
                let gate = draft.linear(&states, &mlp("fc12"), sizes, self.biases.inner)?;
                let gate = activation.apply(&mut draft.builder, &gate);
                draft.builder.add("Mul", &[&up, &gate])
            }
        };
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &mlp("fc2"), sizes, self.biases.outer)?;
        draft.sum_norm([&outer, &states], &format!("{name}.norm2"), self.norm)
    }
}
