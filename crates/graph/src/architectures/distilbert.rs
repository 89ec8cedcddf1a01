//! DistilBERT.

use super::draft::{Bias, Draft, Encoder, HeadKeys, Inputs, Norm, Projections, Sizes};
use crate::blocks::{Activation, Attention, Heads, Mask, Positions};
use crate::error::Result;

struct DistilBert {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let width = config.size("dim", 768)?;
    let model = DistilBert {
        width,
        heads: draft.heads(width, HeadKeys::plain("n_heads"))?,
        intermediate: config.size("hidden_dim", 3072)?,
        activation: config.activation("activation", Activation::Gelu)?,
        norm: Norm {
            width,
            epsilon: 1e-12,
            bias: Bias::Present,
        },
    };
    let layers = config.layers("n_layers", 6)?;
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let words = draft.table("embeddings.word_embeddings.weight", width)?;
    let words = draft.lookup(&words, "input_ids");
    let positions = draft.table("embeddings.position_embeddings.weight", width)?;
    let ids = Positions::of_inputs(&mut draft.builder).0;
    let rows = draft.lookup(&positions, &ids);
    let mut states = draft.sum_norm([&words, &rows], "embeddings.LayerNorm", model.norm)?;
    let mask = Mask::padding(&mut draft.builder);
    for layer in 0..layers {
        let name = format!("transformer.layer.{layer}");
        states = model.layer(draft, &states, &name, &mask)?;
    }
    Ok(Encoder {
        output: states,
        width,
        max_positions: Some(positions.rows),
        inputs: Inputs::Ids,
    })
}

impl DistilBert {
    fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        name: &str,
        mask: &Mask,
    ) -> Result<String> {
        let projections = Projections {
            names: ["q_lin", "k_lin", "v_lin"].map(|part| format!("{name}.attention.{part}")),
            inner: self.width,
            bias: Bias::Present,
        };
        let operands = draft.project(states, projections, self.heads)?;
        let attention = Attention {
            heads: self.heads,
            mask,
            rotary: None,
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{name}.attention.out_lin");
        let attended = draft.linear(&context, &output, sizes, Bias::Present)?;
        let norm = format!("{name}.sa_layer_norm");
        let states = draft.sum_norm([&attended, states], &norm, self.norm)?;

        let sizes = Sizes::new(self.width, self.intermediate);
        let inner = draft.linear(&states, &format!("{name}.ffn.lin1"), sizes, Bias::Present)?;
        let inner = self.activation.apply(&mut draft.builder, &inner);
        let sizes = Sizes::new(self.intermediate, self.width);
        let outer = draft.linear(&inner, &format!("{name}.ffn.lin2"), sizes, Bias::Present)?;
        let norm = format!("{name}.output_layer_norm");
        draft.sum_norm([&outer, &states], &norm, self.norm)
    }
}
