//! GTE: `NewModel` of Alibaba-NLP/new-impl, which Snowflake calls `gte`.

use super::config::Config;
use super::draft::{
    Bias, Draft, Encoder, Gate, Half, HeadKeys, Inputs, Norm, PackedHeads, Projections, Sizes,
};
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, Rotary};
use crate::error::Result;

struct Gte {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
    packing: Packing,
    mask: Mask,
    rotary: Rotary,
}

/// How queries, keys and values are computed.
#[derive(Clone, Copy)]
enum Packing {
    Together,
    Apart,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    config.only("position_embedding_type", "rope")?;
    config.only("layer_norm_type", "layer_norm")?;
    config.forbid(&["logn_attention_scale", "logn_attention_clip1"])?;
    let width = config.size("hidden_size", 768)?;
    let heads = draft.heads(width, HeadKeys::plain("num_attention_heads"))?;
    let norm = Norm {
        width,
        epsilon: config.number("layer_norm_eps", 1e-12)? as f32,
        bias: Bias::Present,
    };
    let frequencies = frequencies(config, heads.columns)?;
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let words = draft.table("embeddings.word_embeddings.weight", width)?;
    let words = draft.lookup(&words, "input_ids");
    let (embedded, inputs) = match config.index("type_vocab_size", 1)? {
        0 => (words, Inputs::Ids),
        _ => draft.add_types(&words, width)?,
    };
    let mut states = draft.layer_norm(&embedded, "embeddings.LayerNorm", norm)?;
    let builder = &mut draft.builder;
    let positions = Positions::of_inputs(builder);
    let model = Gte {
        width,
        heads,
        intermediate: config.size("intermediate_size", 3072)?,
        activation: config.activation("hidden_act", Activation::Gelu)?,
        norm,
        packing: match config.flag("pack_qkv")? {
            Some(false) => Packing::Apart,
            _ => Packing::Together,
        },
        mask: Mask::padding(builder),
        rotary: Rotary::new(builder, &positions, frequencies),
    };
    for layer in 0..config.layers("num_hidden_layers", 12)? {
        states = model.layer(draft, &states, &format!("encoder.layer.{layer}"))?;
    }
    Ok(Encoder {
        output: states,
        width,
        max_positions: Some(config.size("max_position_embeddings", 2048)?),
        inputs,
    })
}

/// Frequencies of the rotary embedding, scaled as their code does for texts of
/// every length.
fn frequencies(config: &Config<'_>, columns: usize) -> Result<Vec<f32>> {
    let base = config.number("rope_theta", 10_000.)?;
    let Some(scaling) = config.section("rope_scaling")? else {
        return Ok(Rotary::frequencies(base, columns));
    };
    scaling.only("type", "ntk")?;
    if scaling.get("mixed_b").is_some() {
        return Err(scaling.refuse("rope_scaling.mixed_b", "none", "one"));
    }
    let factor = scaling.number("factor", 1.)?;
    let divisor = factor.powf(2. / columns as f64) as f32;
    let scaled = Rotary::frequencies(base * factor, columns);
    Ok(scaled.into_iter().map(|angle| angle / divisor).collect())
}

impl Gte {
    fn layer(&self, draft: &mut Draft<'_>, states: &str, name: &str) -> Result<String> {
        let attention = format!("{name}.attention");
        let operands = match self.packing {
            Packing::Together => {
                let packed = PackedHeads {
                    heads: self.heads,
                    bias: Bias::Present,
                };
                let name = format!("{attention}.qkv_proj");
                draft.project_packed(states, &name, self.width, packed)?
            }
            Packing::Apart => {
                let projections = Projections {
                    names: ["q_proj", "k_proj", "v_proj"].map(|part| format!("{attention}.{part}")),
                    inner: self.width,
                    bias: Bias::Present,
                };
                draft.project(states, projections, self.heads)?
            }
        };
        let parameters = Attention {
            heads: self.heads,
            mask: &self.mask,
            rotary: Some(&self.rotary),
        };
        let context = parameters.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{attention}.o_proj");
        let attended = draft.linear(&context, &output, sizes, Bias::Present)?;
        let norm = format!("{name}.attn_ln");
        let states = draft.sum_norm([&attended, states], &norm, self.norm)?;

        let sizes = Sizes::new(self.width, 2 * self.intermediate);
        let inner = format!("{name}.mlp.up_gate_proj");
        let inner = draft.linear(&states, &inner, sizes, Bias::Absent)?;
        let gate = Gate {
            activation: self.activation,
            first: Half::Factor,
        };
        let inner = draft.gate(&inner, self.intermediate, gate);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = format!("{name}.mlp.down_proj");
        let outer = draft.linear(&inner, &outer, sizes, Bias::Present)?;
        draft.sum_norm([&outer, &states], &format!("{name}.mlp_ln"), self.norm)
    }
}
