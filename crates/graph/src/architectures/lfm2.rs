//! LFM2: gated short convolutions, and attention with grouped heads.
//!
//! Source of the form that sees all tokens: `Lfm2BidirectionalModel`, as
//! LiquidAI publishes it with LFM2.5 encoders.

use super::config::Config;
use super::draft::{Bias, Draft, Encoder, HeadKeys, Inputs, Norm, Projections, Sizes};
use super::rope;
use crate::blocks::{Activation, Attention, Convolution, Heads, Mask, Positions, Rotary};
use crate::error::Result;

const ATTENTION: &str = "full_attention";
const CONVOLUTION: &str = "conv";

struct Lfm2 {
    width: usize,
    heads: Heads,
    intermediate: usize,
    norm: Norm,
    conv_bias: Bias,
    convolution: Convolution,
    mask: Mask,
    rotary: Rotary,
    /// 0 for padding, `[batch, length, 1]`.
    tokens: String,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let width = config.size("hidden_size", 2560)?;
    let heads = HeadKeys {
        count: "num_attention_heads",
        default: 32,
        of_keys: Some("num_key_value_heads"),
        columns: None,
    };
    let heads = draft.heads(width, heads)?;
    let kinds = layer_kinds(config)?;
    let classes = config.texts("architectures")?.unwrap_or_default();
    let sees_all = classes
        .iter()
        .any(|class| class.starts_with("Lfm2Bidirectional"));
    let taps = config.size("conv_L_cache", 3)?;
    let base = rope::base(config, "rope_theta", 1_000_000.)?;

    draft.weights.find_prefix("embed_tokens.weight")?;
    let words = draft.table("embed_tokens.weight", width)?;
    let mut states = draft.lookup(&words, "input_ids");
    let builder = &mut draft.builder;
    let positions = Positions::of_inputs(builder);
    let model = Lfm2 {
        width,
        heads,
        intermediate: intermediate(config)?,
        norm: Norm {
            width,
            epsilon: config.number("norm_eps", 1e-5)? as f32,
            bias: Bias::Absent,
        },
        conv_bias: Bias::flagged(config.is_set("conv_bias")?),
        convolution: if sees_all {
            Convolution::centered(taps)
        } else {
            Convolution::causal(taps)
        },
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
        tokens: Mask::column_of_tokens(builder),
    };
    for (layer, kind) in kinds.iter().enumerate() {
        states = model.layer(draft, &states, &format!("layers.{layer}"), kind)?;
    }
    Ok(Encoder {
        output: draft.rms_norm(&states, "embedding_norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 128_000)?),
        inputs: Inputs::Ids,
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
    fn layer(&self, draft: &mut Draft<'_>, states: &str, name: &str, kind: &str) -> Result<String> {
        let normal = draft.rms_norm(states, &format!("{name}.operator_norm"), self.norm)?;
        let mixed = match kind {
            ATTENTION => self.attend(draft, &normal, &format!("{name}.self_attn"))?,
            _ => self.convolve(draft, &normal, &format!("{name}.conv"))?,
        };
        let states = draft.sum(&mixed, states);
        let normal = draft.rms_norm(&states, &format!("{name}.ffn_norm"), self.norm)?;
        let layer = |part: &str| format!("{name}.feed_forward.{part}");
        let sizes = Sizes::new(self.width, self.intermediate);
        let gate = draft.linear(&normal, &layer("w1"), sizes, Bias::Absent)?;
        let up = draft.linear(&normal, &layer("w3"), sizes, Bias::Absent)?;
        let gate = Activation::Silu.apply(&mut draft.builder, &gate);
        let inner = draft.builder.add("Mul", &[&gate, &up]);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &layer("w2"), sizes, Bias::Absent)?;
        Ok(draft.sum(&states, &outer))
    }

    fn attend(&self, draft: &mut Draft<'_>, x: &str, name: &str) -> Result<String> {
        let projections = Projections {
            names: ["q_proj", "k_proj", "v_proj"].map(|part| format!("{name}.{part}")),
            inner: self.width,
            bias: Bias::Absent,
        };
        let mut operands = draft.project(x, projections, self.heads)?;
        let norm = Norm {
            width: self.heads.columns,
            ..self.norm
        };
        for (operand, part) in operands.iter_mut().zip(["q_layernorm", "k_layernorm"]) {
            *operand = draft.rms_norm(operand, &format!("{name}.{part}"), norm)?;
        }
        let attention = Attention {
            heads: self.heads,
            mask: &self.mask,
            rotary: Some(&self.rotary),
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        draft.linear(&context, &format!("{name}.out_proj"), sizes, Bias::Absent)
    }

    /// A convolution between two gates.
    fn convolve(&self, draft: &mut Draft<'_>, x: &str, name: &str) -> Result<String> {
        let width = self.width;
        let x = draft.builder.add("Mul", &[x, &self.tokens]);
        let sizes = Sizes::new(width, 3 * width);
        let rows = draft.linear(&x, &format!("{name}.in_proj"), sizes, self.conv_bias)?;
        let [before, after, rows] = draft.builder.split(&rows, -1, [width as i64; 3]);
        let rows = draft.builder.add("Mul", &[&before, &rows]);

        let shape = [width, 1, self.convolution.taps()];
        let weights = draft.weight(&[&format!("{name}.conv.weight")], &shape)?;
        let mut rows = self
            .convolution
            .apply(&mut draft.builder, &rows, &weights, width);
        if self.conv_bias == Bias::Present {
            let bias = draft.weight(&[&format!("{name}.conv.bias")], &[width])?;
            rows = draft.sum(&rows, &bias);
        }
        let rows = draft.builder.add("Mul", &[&after, &rows]);
        let sizes = Sizes::new(width, width);
        draft.linear(&rows, &format!("{name}.out_proj"), sizes, self.conv_bias)
    }
}
