//! MPNet, whose scores depend on the distance of tokens.

use super::bert::WORDS;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Inner, Projection};
use super::post_norm::{KEYS, Names, PostNorm};
use super::relative::Distances;
use crate::blocks::after_padding;
use crate::error::Result;

/// The id from which positions are counted, whatever the configuration says.
const PADDING: i64 = 1;
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
    let names = ["encoder.relative_attention_bias.weight"];
    let context = Distances::stated(draft.config, None)?.context(
        draft,
        &names,
        layers.attention.heads.count,
    )?;
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(positions.rows.saturating_sub(PADDING as usize + 1)),
        inputs: Inputs::Ids,
        heads: Heads::roberta(layers.norm),
    })
}
