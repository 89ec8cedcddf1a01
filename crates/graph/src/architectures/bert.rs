//! BERT and the families that differ in embeddings: RoBERTa, XLM-RoBERTa,
//! CamemBERT, ELECTRA and ERNIE.

use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Context, Inner, Projection};
use super::parameters::{Bias, Norm, Sizes};
use super::post_norm::{KEYS, Names, PostNorm};
use crate::blocks::{Positions, after_padding};
use crate::error::Result;

pub(super) const NAMES: Names = Names {
    layers: "encoder.layer",
    projection: Projection::Apart([
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ]),
    output: "attention.output.dense",
    output_norm: "attention.output.LayerNorm",
    inner: Inner::Plain("intermediate.dense"),
    outer: "output.dense",
    outer_norm: "output.LayerNorm",
};

/// The table of tokens.
pub(super) const WORDS: &str = "embeddings.word_embeddings.weight";

/// How positions are counted.
#[derive(Clone, Copy)]
pub(super) enum Counting {
    /// From 0 on.
    All,
    /// Only tokens that are not padding, from the id of padding on.
    AfterPadding(i64),
}

/// BERT and ERNIE, which may have embeddings of tasks as well; the first task
/// is used.
pub(super) fn bert(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, Counting::All, None, Heads::bert)
}

/// RoBERTa, XLM-RoBERTa and CamemBERT.
pub(super) fn roberta(draft: &mut Draft<'_>) -> Result<Encoder> {
    let padding = draft.config.index("pad_token_id", 1)?;
    encoder(draft, Counting::AfterPadding(padding), None, Heads::roberta)
}

/// ELECTRA, whose embeddings may be narrower than the rest.
pub(super) fn electra(draft: &mut Draft<'_>) -> Result<Encoder> {
    let columns = draft.config.size("embedding_size", 128)?;
    encoder(draft, Counting::All, Some(columns), Heads::electra)
}

fn encoder(
    draft: &mut Draft<'_>,
    counting: Counting,
    embedding: Option<usize>,
    heads: fn(Norm) -> Heads,
) -> Result<Encoder> {
    draft.config.only("position_embedding_type", "absolute")?;
    draft
        .config
        .forbid(&["is_decoder", "add_cross_attention"])?;
    let layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    let columns = embedding.unwrap_or(layers.width());
    let embedded = embed(draft, counting, columns)?;
    let norm = Norm {
        width: columns,
        ..layers.norm
    };
    let mut states = draft.layer_norm(&embedded.sum, "embeddings.LayerNorm", norm)?;
    if columns != layers.width() {
        let sizes = Sizes::new(columns, layers.width());
        states = draft.linear(&states, "embeddings_project", sizes, Bias::Present)?;
    }
    let context = Context::absolute(&mut draft.builder);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width: layers.width(),
        max_positions: Some(embedded.max_positions),
        inputs: embedded.inputs,
        heads: heads(norm),
    })
}

/// The sum of all embeddings.
pub(super) struct Embedded {
    pub(super) sum: String,
    pub(super) max_positions: usize,
    pub(super) inputs: Inputs,
}

pub(super) fn embed(draft: &mut Draft<'_>, counting: Counting, columns: usize) -> Result<Embedded> {
    let words = draft.words(WORDS, columns)?;
    let (mut sum, inputs) = draft.add_types(&words, columns)?;
    let positions = draft.table("embeddings.position_embeddings.weight", columns)?;
    let (ids, first) = match counting {
        Counting::All => (Positions::of_inputs(&mut draft.builder).0, 0),
        Counting::AfterPadding(padding) => {
            let ids = after_padding(&mut draft.builder, padding);
            (ids, usize::try_from(padding).unwrap_or_default() + 1)
        }
    };
    let rows = draft.lookup(&positions, &ids);
    sum = draft.sum(&sum, &rows);
    if draft.config.is_set("use_task_id")? {
        let tasks = draft.table("embeddings.task_type_embeddings.weight", columns)?;
        let row = draft.first_row(&tasks);
        sum = draft.sum(&sum, &row);
    }
    Ok(Embedded {
        sum,
        max_positions: positions.rows.saturating_sub(first),
        inputs,
    })
}
