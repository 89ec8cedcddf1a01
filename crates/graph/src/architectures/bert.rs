//! BERT and the families that differ in embeddings: RoBERTa, XLM-RoBERTa,
//! CamemBERT, ELECTRA and ERNIE.

use super::config::Config;
use super::draft::{Bias, Draft, Encoder, HeadKeys, Inputs, Norm, Projections, Sizes};
use super::{jina_v2, jina_v3};
use crate::blocks::{Activation, Attention, Heads, Mask, Positions, after_padding};
use crate::error::Result;

/// The numbers of an encoder.
pub(super) struct Bert {
    pub(super) width: usize,
    /// The width of the embeddings.
    pub(super) embedding: usize,
    pub(super) layers: usize,
    pub(super) heads: Heads,
    pub(super) intermediate: usize,
    pub(super) activation: Activation,
    pub(super) norm: Norm,
}

/// How positions are embedded.
#[derive(Clone, Copy)]
enum Counting {
    /// From 0 on.
    All,
    /// Only tokens that are not padding, from the id of padding on.
    AfterPadding(i64),
}

/// BERT and ERNIE, which may have embeddings of tasks as well; the first task
/// is used. Jina's second version has the same name.
pub(super) fn bert(draft: &mut Draft<'_>) -> Result<Encoder> {
    match draft.config.text("position_embedding_type")? {
        Some("alibi") => jina_v2::encoder(draft),
        _ => encoder(draft, Counting::All, None),
    }
}

/// RoBERTa, XLM-RoBERTa and CamemBERT. Jina's third version has the same name.
pub(super) fn roberta(draft: &mut Draft<'_>) -> Result<Encoder> {
    if draft.config.text("position_embedding_type")? == Some("rotary") {
        return jina_v3::encoder(draft);
    }
    let padding = draft.config.index("pad_token_id", 1)?;
    encoder(draft, Counting::AfterPadding(padding), None)
}

/// ELECTRA, whose embeddings may be narrower than the rest.
pub(super) fn electra(draft: &mut Draft<'_>) -> Result<Encoder> {
    let columns = draft.config.size("embedding_size", 128)?;
    encoder(draft, Counting::All, Some(columns))
}

fn encoder(draft: &mut Draft<'_>, counting: Counting, embedding: Option<usize>) -> Result<Encoder> {
    draft.config.only("position_embedding_type", "absolute")?;
    let mut bert = Bert::read(draft)?;
    bert.embedding = embedding.unwrap_or(bert.width);
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    let embedded = bert.embed(draft, counting)?;
    let mask = Mask::padding(&mut draft.builder);
    let mut states = embedded.states;
    for layer in 0..bert.layers {
        let name = format!("encoder.layer.{layer}");
        states = bert.attend(draft, &states, &name, &mask)?;
        states = bert.feed_forward(draft, &states, &name)?;
    }
    Ok(Encoder {
        output: states,
        width: bert.width,
        max_positions: Some(embedded.max_positions),
        inputs: embedded.inputs,
    })
}

/// The input of the first layer.
struct Embedded {
    states: String,
    max_positions: usize,
    inputs: Inputs,
}

impl Bert {
    pub(super) fn read(draft: &Draft<'_>) -> Result<Self> {
        let config: &Config<'_> = draft.config;
        config.forbid(&["is_decoder", "add_cross_attention"])?;
        let width = config.size("hidden_size", 768)?;
        Ok(Self {
            width,
            embedding: width,
            layers: config.layers("num_hidden_layers", 12)?,
            heads: draft.heads(width, HeadKeys::plain("num_attention_heads"))?,
            intermediate: config.size("intermediate_size", 3072)?,
            activation: config.activation("hidden_act", Activation::Gelu)?,
            norm: Norm {
                width,
                epsilon: config.number("layer_norm_eps", 1e-12)? as f32,
                bias: Bias::Present,
            },
        })
    }

    fn embed(&self, draft: &mut Draft<'_>, counting: Counting) -> Result<Embedded> {
        let columns = self.embedding;
        let words = draft.table("embeddings.word_embeddings.weight", columns)?;
        let states = draft.lookup(&words, "input_ids");
        let (mut states, inputs) = draft.add_types(&states, columns)?;
        let positions = draft.table("embeddings.position_embeddings.weight", columns)?;
        let (ids, first) = match counting {
            Counting::All => (Positions::of_inputs(&mut draft.builder).0, 0),
            Counting::AfterPadding(padding) => {
                let ids = after_padding(&mut draft.builder, padding);
                (ids, usize::try_from(padding).unwrap_or_default() + 1)
            }
        };
        let rows = draft.lookup(&positions, &ids);
        states = draft.sum(&states, &rows);
        if draft.config.is_set("use_task_id")? {
            let tasks = draft.table("embeddings.task_type_embeddings.weight", columns)?;
            let row = draft.first_row(&tasks);
            states = draft.sum(&states, &row);
        }
        let norm = Norm {
            width: columns,
            ..self.norm
        };
        states = draft.layer_norm(&states, "embeddings.LayerNorm", norm)?;
        if columns != self.width {
            let sizes = Sizes::new(columns, self.width);
            states = draft.linear(&states, "embeddings_project", sizes, Bias::Present)?;
        }
        Ok(Embedded {
            states,
            max_positions: positions.rows.saturating_sub(first),
            inputs,
        })
    }

    /// The first half of a layer.
    pub(super) fn attend(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        layer: &str,
        mask: &Mask,
    ) -> Result<String> {
        let projections = Projections {
            names: ["query", "key", "value"].map(|part| format!("{layer}.attention.self.{part}")),
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
        let output = format!("{layer}.attention.output");
        let sizes = Sizes::new(self.heads.width(), self.width);
        let dense = format!("{output}.dense");
        let result = draft.linear(&context, &dense, sizes, Bias::Present)?;
        let norm = format!("{output}.LayerNorm");
        draft.sum_norm([&result, states], &norm, self.norm)
    }

    /// The second half.
    pub(super) fn feed_forward(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        layer: &str,
    ) -> Result<String> {
        let (dense, sizes) = (
            format!("{layer}.intermediate.dense"),
            Sizes::new(self.width, self.intermediate),
        );
        let inner = draft.linear(states, &dense, sizes, Bias::Present)?;
        let inner = self.activation.apply(&mut draft.builder, &inner);
        let (dense, sizes) = (
            format!("{layer}.output.dense"),
            Sizes::new(self.intermediate, self.width),
        );
        let outer = draft.linear(&inner, &dense, sizes, Bias::Present)?;
        let norm = format!("{layer}.output.LayerNorm");
        draft.sum_norm([&outer, states], &norm, self.norm)
    }
}
