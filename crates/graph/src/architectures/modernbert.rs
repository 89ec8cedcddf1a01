//! ModernBERT: Ettin, mxbai-edge and others.

use super::config::Config;
use super::draft::{Bias, Draft, Encoder, Gate, Half, HeadKeys, Inputs, Norm, PackedHeads, Sizes};
use super::rope;
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, Rotary};
use crate::error::Result;

const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

struct ModernBert {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
    attention_bias: Bias,
    mlp_bias: Bias,
}

/// What layers of a kind have in common.
struct Kind {
    mask: Mask,
    rotary: Rotary,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let width = config.size("hidden_size", 768)?;
    let model = ModernBert {
        width,
        heads: draft.heads(width, HeadKeys::plain("num_attention_heads"))?,
        intermediate: config.size("intermediate_size", 1152)?,
        activation: config.activation("hidden_activation", Activation::Gelu)?,
        norm: Norm {
            width,
            epsilon: config.number("norm_eps", 1e-5)? as f32,
            bias: Bias::flagged(config.is_set("norm_bias")?),
        },
        attention_bias: Bias::flagged(config.is_set("attention_bias")?),
        mlp_bias: Bias::flagged(config.is_set("mlp_bias")?),
    };
    let layers = layer_kinds(config)?;
    draft
        .weights
        .find_prefix("embeddings.tok_embeddings.weight")?;
    let words = draft.table("embeddings.tok_embeddings.weight", width)?;
    let embedded = draft.lookup(&words, "input_ids");
    let mut states = draft.layer_norm(&embedded, "embeddings.norm", model.norm)?;

    let positions = Positions::of_inputs(&mut draft.builder);
    let (mut full, mut sliding) = (None, None);
    for (layer, kind) in layers.iter().enumerate() {
        let slot = if kind == FULL {
            &mut full
        } else {
            &mut sliding
        };
        let kind = match slot {
            Some(kind) => &*kind,
            None => slot.insert(model.kind(draft, kind, &positions)?),
        };
        states = model.layer(draft, &states, layer, kind)?;
    }
    Ok(Encoder {
        output: draft.layer_norm(&states, "final_norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 8192)?),
        inputs: Inputs::Ids,
    })
}

/// The kind of each layer: listed, or every few layers a full one.
fn layer_kinds(config: &Config<'_>) -> Result<Vec<String>> {
    let count = config.layers("num_hidden_layers", 22)?;
    let Some(listed) = config.texts("layer_types")? else {
        let every = config.size("global_attn_every_n_layers", 3)?;
        let kind = |layer| if layer % every == 0 { FULL } else { SLIDING };
        // Layers that are not in the files end the list.
        return Ok((0..count).map(|layer| kind(layer).to_owned()).collect());
    };
    if listed.len() != count || listed.iter().any(|kind| ![FULL, SLIDING].contains(kind)) {
        let expected = format!("{count} of {FULL} and {SLIDING}");
        let found = format!("{} layers: {}", listed.len(), listed.join(", "));
        return Err(config.refuse("layer_types", expected, found));
    }
    Ok(listed.into_iter().map(str::to_owned).collect())
}

/// The base of the rotary embedding of a kind of layers.
fn rope_base(config: &Config<'_>, kind: &str) -> Result<f64> {
    rope::scaling(config)?;
    if let Some(parameters) = config.section("rope_parameters")?
        && let Some(parameters) = parameters.section(kind)?
    {
        let default = if kind == FULL { 160_000. } else { 10_000. };
        return rope::base_of(&parameters, default);
    }
    // Without a base of its own, a local layer has that of the global ones.
    let global = config.number("global_rope_theta", 160_000.)?;
    let key = "local_rope_theta";
    match kind {
        FULL => Ok(global),
        _ if config.has(key) => config.number(key, global),
        _ => Ok(10_000.),
    }
}

impl ModernBert {
    fn kind(&self, draft: &mut Draft<'_>, kind: &str, positions: &Positions) -> Result<Kind> {
        let base = rope_base(draft.config, kind)?;
        let window = draft.config.index("local_attention", 128)? / 2;
        let builder = &mut draft.builder;
        let frequencies = Rotary::frequencies(base, self.heads.columns);
        Ok(Kind {
            mask: match kind {
                FULL => Mask::padding(builder),
                _ => Mask::windowed(builder, positions, window),
            },
            rotary: Rotary::new(builder, positions, frequencies),
        })
    }

    fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        layer: usize,
        kind: &Kind,
    ) -> Result<String> {
        let name = format!("layers.{layer}");
        // The first layer reads what the embeddings normalized.
        let normal = match layer {
            0 => states.to_owned(),
            _ => draft.layer_norm(states, &format!("{name}.attn_norm"), self.norm)?,
        };
        let packed = PackedHeads {
            heads: self.heads,
            bias: self.attention_bias,
        };
        let operands =
            draft.project_packed(&normal, &format!("{name}.attn.Wqkv"), self.width, packed)?;
        let attention = Attention {
            heads: self.heads,
            mask: &kind.mask,
            rotary: Some(&kind.rotary),
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{name}.attn.Wo");
        let attended = draft.linear(&context, &output, sizes, self.attention_bias)?;
        let states = draft.sum(&attended, states);

        let normal = draft.layer_norm(&states, &format!("{name}.mlp_norm"), self.norm)?;
        let sizes = Sizes::new(self.width, 2 * self.intermediate);
        let inner = draft.linear(&normal, &format!("{name}.mlp.Wi"), sizes, self.mlp_bias)?;
        let gate = Gate {
            activation: self.activation,
            first: Half::Activated,
        };
        let inner = draft.gate(&inner, self.intermediate, gate);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &format!("{name}.mlp.Wo"), sizes, self.mlp_bias)?;
        Ok(draft.sum(&outer, &states))
    }
}
