//! LFM2: gated short convolutions, and attention with grouped heads.
//!
//! Source of the form that sees all tokens: `Lfm2BidirectionalModel`, as
//! LiquidAI publishes it with LFM2.5 encoders.

use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::{Causal, Heads};
use super::layers::{Context, FeedForward, HeadNorms, Inner, Projection, SelfAttention};
use super::parameters::{Bias, HeadKeys, Key, RmsNorm, Scale, Sizes};
use super::rope;
use crate::blocks::{Activation, Convolution, Mask, Positions, Rotary};
use crate::error::Result;

const ATTENTION: &str = "full_attention";
const CONVOLUTION: &str = "conv";

struct Lfm2 {
    attention: SelfAttention,
    feed_forward: FeedForward,
    norm: RmsNorm,
    convolution: Convolution,
    conv_bias: Bias,
}

/// What layers have in common.
struct Shared {
    context: Context,
    /// 0 for padding, `[batch, length, 1]`.
    tokens: String,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let classes = config.texts("architectures")?.unwrap_or_default();
    let sees_all = classes
        .iter()
        .any(|class| class.starts_with("Lfm2Bidirectional"));
    let taps = config.size("conv_L_cache", 3)?;
    let convolution = if sees_all {
        Convolution::centered(taps)
    } else {
        Convolution::causal(taps)
    };
    let model = Lfm2::read(draft, convolution)?;
    let width = model.norm.width;
    let kinds = layer_kinds(config)?;
    let base = rope::base(config, "rope_theta", 1_000_000.)?;
    let mut states = draft.words("embed_tokens.weight", width)?;
    let builder = &mut draft.builder;
    let positions = Positions::of_inputs(builder);
    let frequencies = rope::frequencies(config, base, model.attention.heads)?;
    let shared = Shared {
        context: Context {
            mask: if sees_all {
                Mask::padding(builder)
            } else {
                Mask::causal(builder, &positions)
            },
            rotary: Some(Rotary::new(builder, &positions, frequencies)),
        },
        tokens: Mask::column_of_tokens(builder),
    };
    for (layer, kind) in kinds.iter().enumerate() {
        let name = format!("layers.{layer}");
        let normal = draft.rms_norm(&states, &format!("{name}.operator_norm"), model.norm)?;
        let mixed = match kind.as_str() {
            ATTENTION => (model.attention).apply(draft, &normal, &name, &shared.context)?,
            _ => model.convolve(draft, &normal, &format!("{name}.conv"), &shared)?,
        };
        states = draft.sum(&mixed, &states);
        let normal = draft.rms_norm(&states, &format!("{name}.ffn_norm"), model.norm)?;
        let outer = model.feed_forward.apply(draft, &normal, &name)?;
        states = draft.sum(&states, &outer);
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "embedding_norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 128_000)?),
        inputs: Inputs::Ids,
        heads: Heads {
            causal: Some(Causal { decoder: "lm_head" }),
            ..Heads::default()
        },
    })
}

/// The kind of each layer: listed, or those with attention by their numbers.
fn layer_kinds(config: &Config<'_>) -> Result<Vec<String>> {
    let count = config.layers("num_hidden_layers", 32)?;
    let expected = || format!("{count} of {ATTENTION} and {CONVOLUTION}");
    if let Some(listed) = config.texts("layer_types")? {
        let is_known = |kind: &&str| [ATTENTION, CONVOLUTION].contains(kind);
        if listed.len() != count || !listed.iter().all(is_known) {
            let found = format!("{} layers: {}", listed.len(), listed.join(", "));
            return Err(config.refuse("layer_types", expected(), found));
        }
        return Ok(listed.into_iter().map(str::to_owned).collect());
    }
    let key = "full_attn_idxs";
    let Some(listed) = config.get(key) else {
        return Err(config.refuse("layer_types", expected(), "none"));
    };
    let numbers: Option<Vec<u64>> = listed
        .as_array()
        .and_then(|list| list.iter().map(serde_json::Value::as_u64).collect());
    let numbers = numbers.ok_or_else(|| config.refuse(key, "numbers of layers", listed))?;
    let kind = |layer: usize| {
        if numbers.contains(&(layer as u64)) {
            ATTENTION
        } else {
            CONVOLUTION
        }
    };
    Ok((0..count).map(|layer| kind(layer).to_owned()).collect())
}

/// The width of the feed-forward layers.
fn intermediate(config: &Config<'_>) -> Result<usize> {
    let stated = config.size("intermediate_size", 12_288)?;
    let stated = config.size("block_ff_dim", stated)?;
    if config.flag("block_auto_adjust_ff_dim")? == Some(false) {
        return Ok(stated);
    }
    let multiple = config.size("block_multiple_of", 256)?;
    let factor = config.number("block_ffn_dim_multiplier", 1.)?;
    let adjusted = (factor * (2 * stated / 3) as f64) as usize;
    // No weight is as large as what this leaves out.
    Ok(adjusted.min(Config::LARGEST).next_multiple_of(multiple))
}

impl Lfm2 {
    fn read(draft: &Draft<'_>, convolution: Convolution) -> Result<Self> {
        let config = draft.config;
        let width = config.size("hidden_size", 2560)?;
        let heads = HeadKeys {
            count: Key("num_attention_heads", 32),
            of_keys: Some("num_key_value_heads"),
            columns: None,
        };
        let epsilon = config.number("norm_eps", 1e-5)? as f32;
        Ok(Self {
            attention: SelfAttention {
                projection: Projection::OF_DECODERS,
                output: "self_attn.out_proj",
                head_norms: Some(HeadNorms {
                    names: ["self_attn.q_layernorm", "self_attn.k_layernorm"],
                    epsilon,
                    scale: Scale::Stored,
                }),
                width,
                heads: draft.heads(width, heads)?,
                bias: Bias::Absent,
                output_bias: Bias::Absent,
            },
            feed_forward: FeedForward {
                inner: Inner::Pair {
                    activated: "feed_forward.w1",
                    factor: "feed_forward.w3",
                },
                outer: "feed_forward.w2",
                width,
                intermediate: intermediate(config)?,
                activation: Activation::Silu,
                inner_bias: Bias::Absent,
                outer_bias: Bias::Absent,
            },
            norm: RmsNorm {
                width,
                epsilon,
                scale: Scale::Stored,
            },
            convolution,
            conv_bias: Bias::flagged(config.is_set("conv_bias")?),
        })
    }

    /// A convolution between two gates.
    fn convolve(
        &self,
        draft: &mut Draft<'_>,
        x: &str,
        name: &str,
        shared: &Shared,
    ) -> Result<String> {
        let width = self.norm.width;
        let x = draft.builder.add("Mul", &[x, &shared.tokens]);
        let sizes = Sizes::new(width, 3 * width);
        let rows = draft.linear(&x, &format!("{name}.in_proj"), sizes, self.conv_bias)?;
        let [before, after, rows] = draft.builder.split(&rows, -1, [width as i64; 3]);
        let rows = draft.builder.add("Mul", &[&before, &rows]);

        let shape = [width, 1, self.convolution.taps()];
        let weights = draft.weight(&[&format!("{name}.conv.weight")], &shape)?;
        let mut rows = (self.convolution).apply(&mut draft.builder, &rows, &weights, width);
        if self.conv_bias == Bias::Present {
            let bias = draft.weight(&[&format!("{name}.conv.bias")], &[width])?;
            rows = draft.sum(&rows, &bias);
        }
        let rows = draft.builder.add("Mul", &[&after, &rows]);
        let sizes = Sizes::new(width, width);
        draft.linear(&rows, &format!("{name}.out_proj"), sizes, self.conv_bias)
    }
}
