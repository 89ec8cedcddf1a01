//! Decoders used as encoders, and encoders built like them: Llama, Mistral, Qwen2,
//! Qwen3, EuroBERT, Gemma 3.

pub(super) mod gemma3;
mod heads;
mod layers;

use self::heads::{causal_heads, eurobert_heads};
use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::Context;
use super::rope;
use super::sight::{self, Contexts, Kind};
use crate::blocks::{Mask, Positions, Rotary};
use crate::error::Result;

/// What a family has where the configuration says nothing, and what it has
/// that others have not.
struct Form {
    sight: Sight,
    window: Window,
    biases: Biases,
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

/// Which layers see the nearest tokens alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Window {
    Never,
    /// All, where a window is stated.
    Stated,
    /// Those from a layer on, where a flag says so.
    Flagged,
}

/// Which layers of attention have a bias.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Biases {
    /// All or none, as a flag says.
    Flagged,
    /// Those of queries, keys and values.
    OfProjections,
}

const LLAMA: Form = Form {
    sight: Sight::Earlier,
    window: Window::Never,
    biases: Biases::Flagged,
    head_norms: None,
    head_columns: None,
    epsilon: 1e-6,
    rope_base: 10_000.,
    max_positions: 2048,
    heads: causal_heads,
};

const QWEN3: Form = Form {
    window: Window::Flagged,
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

pub(super) fn mistral(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        window: Window::Stated,
        max_positions: 131_072,
        ..LLAMA
    };
    encoder(draft, &form)
}

pub(super) fn qwen2(draft: &mut Draft<'_>) -> Result<Encoder> {
    let form = Form {
        window: Window::Flagged,
        biases: Biases::OfProjections,
        max_positions: 32_768,
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

fn encoder(draft: &mut Draft<'_>, form: &Form) -> Result<Encoder> {
    let config = draft.config;
    if let Some(found) = config.get("clip_qkv") {
        return Err(config.refuse("clip_qkv", "none", found));
    }
    let model = layers::read(draft, form)?;
    let width = model.norm.width;
    let base = rope::base(config, "rope_theta", form.rope_base)?;
    let frequencies = rope::frequencies(config, base, model.attention.heads)?;
    let (kinds, window) = form.window.kinds(config)?;
    let sees_all = form.sight == Sight::All
        || config.flag("is_causal")? == Some(false)
        || config.is_set("use_bidirectional_attention")?;
    if sees_all && kinds.contains(&Kind::Sliding) {
        let expected = "none for a model that sees all tokens";
        return Err(config.refuse("sliding_window", expected, window));
    }
    let mut states = draft.words("embed_tokens.weight", width)?;
    let positions = Positions::of_inputs(&mut draft.builder);
    let builder = &mut draft.builder;
    let rotary = Rotary::new(builder, &positions, frequencies);
    let contexts = Contexts::of(&kinds, |kind| {
        Ok(Context {
            mask: match kind {
                Kind::Sliding => Mask::causal_window(builder, &positions, window),
                Kind::Full if sees_all => Mask::padding(builder),
                Kind::Full => Mask::causal(builder, &positions),
            },
            rotary: Some(rotary.clone()),
        })
    })?;
    for (layer, kind) in kinds.into_iter().enumerate() {
        let name = format!("layers.{layer}");
        states = model.layer(draft, &states, &name, contexts.get(kind))?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", form.max_positions)?),
        inputs: Inputs::Ids,
        heads: (form.heads)(config)?,
    })
}

impl Window {
    /// The kind of each layer, and how many tokens one sees that sees the nearest,
    /// itself among them.
    fn kinds(self, config: &Config<'_>) -> Result<(Vec<Kind>, i64)> {
        let key = "sliding_window";
        let first = match self {
            Self::Never => {
                config.forbid(&["use_sliding_window"])?;
                None
            }
            // The default of transformers, where nothing is stated.
            Self::Stated => (!config.has(key) || config.get(key).is_some()).then_some(0),
            Self::Flagged if config.is_set("use_sliding_window")? => {
                Some(config.index("max_window_layers", 28)?)
            }
            Self::Flagged => None,
        };
        let count = config.layers("num_hidden_layers", 32)?;
        let kinds = sight::kinds(config, count, |layer| match first {
            Some(first) if layer as i64 >= first => Kind::Sliding,
            _ => Kind::Full,
        })?;
        if first.is_none() && kinds.contains(&Kind::Sliding) {
            let [full, sliding] = [Kind::Full, Kind::Sliding].map(Kind::name);
            return Err(config.refuse("layer_types", format!("`{full}`"), format!("`{sliding}`")));
        }
        Ok((kinds, config.size(key, 4096)? as i64))
    }
}
