//! MPNet, whose scores depend on the distance of tokens.

use super::draft::{Bias, Draft, Encoder, HeadKeys, Inputs, Norm, Projections, Sizes};
use crate::blocks::{Activation, Attention, Heads, Mask, Pairs, Positions, after_padding};
use crate::error::Result;
use crate::onnx::NodeProto;

/// The id from which positions are counted, whatever the configuration says.
const PADDING: i64 = 1;
/// From this distance on, all are the same.
const FARTHEST: i64 = 128;

struct MpNet {
    width: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    let width = config.size("hidden_size", 768)?;
    let model = MpNet {
        width,
        heads: draft.heads(width, HeadKeys::plain("num_attention_heads"))?,
        intermediate: config.size("intermediate_size", 3072)?,
        activation: config.activation("hidden_act", Activation::Gelu)?,
        norm: Norm {
            width,
            epsilon: config.number("layer_norm_eps", 1e-12)? as f32,
            bias: Bias::Present,
        },
    };
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let words = draft.table("embeddings.word_embeddings.weight", width)?;
    let words = draft.lookup(&words, "input_ids");
    let positions = draft.table("embeddings.position_embeddings.weight", width)?;
    let ids = after_padding(&mut draft.builder, PADDING);
    let rows = draft.lookup(&positions, &ids);
    let mut states = draft.sum_norm([&words, &rows], "embeddings.LayerNorm", model.norm)?;

    let distances = model.distances(draft)?;
    let mask = Mask::padding(&mut draft.builder);
    let mask = mask.with_bias(&mut draft.builder, &distances);
    for layer in 0..config.layers("num_hidden_layers", 12)? {
        let name = format!("encoder.layer.{layer}");
        states = model.layer(draft, &states, &name, &mask)?;
    }
    Ok(Encoder {
        output: states,
        width,
        max_positions: Some(positions.rows.saturating_sub(PADDING as usize + 1)),
        inputs: Inputs::Ids,
    })
}

impl MpNet {
    /// What is added to scores, `[heads, length, length]`.
    fn distances(&self, draft: &mut Draft<'_>) -> Result<String> {
        let key = "relative_attention_num_buckets";
        let count = draft.config.size(key, 32)?;
        if count < 4 {
            return Err(draft.config.refuse(key, "at least 4", count));
        }
        let names = ["encoder.relative_attention_bias.weight"];
        let table = draft.weight(&names, &[count, self.heads.count])?;
        let builder = &mut draft.builder;
        let Pairs { seen, seeing } = Positions::of_inputs(builder).pairs(builder);
        let difference = builder.add("Sub", &[&seen, &seeing]);
        let [least, most] = [-FARTHEST, FARTHEST].map(|bound| builder.int(bound));
        let difference = builder.add("Max", &[&difference, &least]);
        let difference = builder.add("Min", &[&difference, &most]);
        let at = builder.add("Sub", &[&difference, &least]);
        let buckets = builder.ints(&buckets(count as i64));
        let ids = builder.add("Gather", &[&buckets, &at]);
        let rows = builder.add("Gather", &[&table, &ids]);
        let heads_first = |node: NodeProto| node.with_ints("perm", &[2, 0, 1]);
        Ok(builder.add_with("Transpose", &[&rows], heads_first))
    }

    fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        name: &str,
        mask: &Mask,
    ) -> Result<String> {
        let attention = format!("{name}.attention");
        let projections = Projections {
            names: ["q", "k", "v"].map(|part| format!("{attention}.attn.{part}")),
            inner: self.width,
            bias: Bias::Present,
        };
        let operands = draft.project(states, projections, self.heads)?;
        let parameters = Attention {
            heads: self.heads,
            mask,
            rotary: None,
        };
        let context = parameters.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let output = format!("{attention}.attn.o");
        let attended = draft.linear(&context, &output, sizes, Bias::Present)?;
        let norm = format!("{attention}.LayerNorm");
        let states = draft.sum_norm([&attended, states], &norm, self.norm)?;

        let sizes = Sizes::new(self.width, self.intermediate);
        let dense = format!("{name}.intermediate.dense");
        let inner = draft.linear(&states, &dense, sizes, Bias::Present)?;
        let inner = self.activation.apply(&mut draft.builder, &inner);
        let sizes = Sizes::new(self.intermediate, self.width);
        let dense = format!("{name}.output.dense");
        let outer = draft.linear(&inner, &dense, sizes, Bias::Present)?;
        let norm = format!("{name}.output.LayerNorm");
        draft.sum_norm([&outer, &states], &norm, self.norm)
    }
}

/// The row of the table for each difference of positions from `-FARTHEST` to
/// `FARTHEST`. Half of the rows are for tokens that come later; of these, half
/// are for single distances, the others for ranges that grow by a factor.
///
/// Source: Raffel et al., 2020, section 2.1.
fn buckets(count: i64) -> Vec<i64> {
    let half = count / 2;
    let exact = half / 2;
    let bucket = |distance: i64| {
        if distance < exact {
            return distance;
        }
        // Rounded as single precision does.
        let growth = (distance as f32 / exact as f32).ln();
        let largest = (FARTHEST as f64 / exact as f64).ln() as f32;
        let step = (growth / largest * (half - exact) as f32) as i64;
        (exact + step).min(half - 1)
    };
    (-FARTHEST..=FARTHEST)
        .map(|difference| {
            let later = if difference > 0 { half } else { 0 };
            later + bucket(difference.abs())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_growing_steps() {
        let found = buckets(32);
        let at = |difference: i64| found[(difference + FARTHEST) as usize];
        assert_eq!(found.len(), 257);
        for (difference, expected) in [
            (0, 0),
            (-1, 1),
            (1, 17),
            (-7, 7),
            (-8, 8),
            (-11, 8),
            (-12, 9),
            (-16, 10),
            (-32, 12),
            (-64, 14),
            (-128, 15),
            (64, 30),
            (128, 31),
        ] {
            assert_eq!(at(difference), expected, "{difference}");
        }
    }
}
