//! Jina's third version, and its ColBERT: XLM-RoBERTa with rotary embedding.
//!
//! Source: jinaai/xlm-roberta-flash-implementation.

use super::draft::{Bias, Draft, Encoder, HeadKeys, Norm, PackedHeads, Sizes};
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, Rotary};
use crate::error::Result;

struct Jina {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
    mask: Mask,
    rotary: Rotary,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    if let Some(adapters) = config.texts("lora_adaptations")?
        && !adapters.is_empty()
    {
        let found = adapters.join(", ");
        return Err(config.refuse("lora_adaptations", "none", found));
    }
    let width = config.size("hidden_size", 1024)?;
    let heads = HeadKeys {
        default: 16,
        ..HeadKeys::plain("num_attention_heads")
    };
    let heads = draft.heads(width, heads)?;
    let norm = Norm {
        width,
        epsilon: config.number("layer_norm_eps", 1e-5)? as f32,
        bias: Bias::Present,
    };
    let base = config.number("rotary_emb_base", 10_000.)?;
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let words = draft.table("embeddings.word_embeddings.weight", width)?;
    let words = draft.lookup(&words, "input_ids");
    let (embedded, inputs) = draft.add_types(&words, width)?;
    let mut states = draft.layer_norm(&embedded, "emb_ln", norm)?;
    let builder = &mut draft.builder;
    let positions = Positions::of_inputs(builder);
    let model = Jina {
        width,
        heads,
        intermediate: config.size("intermediate_size", 4096)?,
        activation: config.activation("hidden_act", Activation::Gelu)?,
        norm,
        mask: Mask::padding(builder),
        rotary: Rotary::new(
            builder,
            &positions,
            Rotary::frequencies(base, heads.columns),
        ),
    };
    for layer in 0..config.layers("num_hidden_layers", 24)? {
        states = model.layer(draft, &states, &format!("encoder.layers.{layer}"))?;
    }
    Ok(Encoder {
        output: states,
        width,
        max_positions: Some(config.size("max_position_embeddings", 8194)?),
        inputs,
    })
}

impl Jina {
    fn layer(&self, draft: &mut Draft<'_>, states: &str, name: &str) -> Result<String> {
        let packed = PackedHeads {
            heads: self.heads,
            bias: Bias::Present,
        };
        let operands =
            draft.project_packed(states, &format!("{name}.mixer.Wqkv"), self.width, packed)?;
        let attention = Attention {
            heads: self.heads,
            mask: &self.mask,
            rotary: Some(&self.rotary),
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{name}.mixer.out_proj");
        let attended = draft.linear(&context, &output, sizes, Bias::Present)?;
        let norm = format!("{name}.norm1");
        let states = draft.sum_norm([&attended, states], &norm, self.norm)?;

        let sizes = Sizes::new(self.width, self.intermediate);
        let inner = draft.linear(&states, &format!("{name}.mlp.fc1"), sizes, Bias::Present)?;
        let inner = self.activation.apply(&mut draft.builder, &inner);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &format!("{name}.mlp.fc2"), sizes, Bias::Present)?;
        draft.sum_norm([&outer, &states], &format!("{name}.norm2"), self.norm)
    }
}
