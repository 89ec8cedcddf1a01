//! MPNet, whose scores depend on the distance of tokens.

use super::bert::WORDS;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Context, Inner, Projection};
use super::post_norm::{KEYS, Names, PostNorm};
use crate::blocks::{Mask, Pairs, Positions, after_padding};
use crate::error::Result;
use crate::onnx::NodeProto;

/// The id from which positions are counted, whatever the configuration says.
const PADDING: i64 = 1;
/// From this distance on, all are the same.
const FARTHEST: i64 = 128;

const NAMES: Names = Names {
    layers: "encoder.layer",
    projection: Projection::Apart(["attention.attn.q", "attention.attn.k", "attention.attn.v"]),
    output: "attention.attn.o",
    output_norm: "attention.LayerNorm",
    inner: Inner::Plain("intermediate.dense"),
    outer: "output.dense",
    outer_norm: "output.LayerNorm",
};

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    let width = layers.width();
    let words = draft.words(WORDS, width)?;
    let positions = draft.table("embeddings.position_embeddings.weight", width)?;
    let ids = after_padding(&mut draft.builder, PADDING);
    let rows = draft.lookup(&positions, &ids);
    let states = draft.sum_norm([&words, &rows], "embeddings.LayerNorm", layers.norm)?;
    let distances = distances(draft, layers.attention.heads.count)?;
    let mask = Mask::padding(&mut draft.builder);
    let context = Context {
        mask: mask.with_bias(&mut draft.builder, &distances),
        rotary: None,
    };
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(positions.rows.saturating_sub(PADDING as usize + 1)),
        inputs: Inputs::Ids,
        heads: Heads::roberta(layers.norm),
    })
}

/// What is added to scores, `[heads, length, length]`.
fn distances(draft: &mut Draft<'_>, heads: usize) -> Result<String> {
    let key = "relative_attention_num_buckets";
    let count = draft.config.size(key, 32)?;
    if count < 4 {
        return Err(draft.config.refuse(key, "at least 4", count));
    }
    let names = ["encoder.relative_attention_bias.weight"];
    let table = draft.weight(&names, &[count, heads])?;
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
