//! BERT and the families that differ in embeddings: RoBERTa, XLM-RoBERTa,
//! CamemBERT, ELECTRA and ERNIE.

use super::draft::{Bias, Draft, Encoder, Inputs, Norm, Sizes};
use crate::blocks::{Activation, Attention, Heads, Mask, Positions};
use crate::builder::Builder;
use crate::error::Result;
use crate::onnx::{INT64, NodeProto};

/// The numbers of an encoder.
struct Bert {
    width: usize,
    /// The width of the embeddings.
    embedding: usize,
    layers: usize,
    heads: Heads,
    intermediate: usize,
    activation: Activation,
    norm: Norm,
}

/// How positions are counted.
#[derive(Clone, Copy)]
enum Counting {
    /// From 0 on.
    All,
    /// Only tokens that are not padding, from the id of padding on.
    AfterPadding(i64),
}

/// BERT and ERNIE, which may have embeddings of tasks as well; the first task
/// is used.
pub(super) fn bert(draft: &mut Draft<'_>) -> Result<Encoder> {
    encoder(draft, Counting::All, None)
}

/// RoBERTa, XLM-RoBERTa and CamemBERT.
pub(super) fn roberta(draft: &mut Draft<'_>) -> Result<Encoder> {
    let padding = draft.config.index("pad_token_id", 1)?;
    encoder(draft, Counting::AfterPadding(padding), None)
}

/// ELECTRA, whose embeddings may be narrower than the rest.
pub(super) fn electra(draft: &mut Draft<'_>) -> Result<Encoder> {
    let columns = draft.config.size("embedding_size", 128)?;
    encoder(draft, Counting::All, Some(columns))
}

fn encoder(draft: &mut Draft<'_>, counting: Counting, embedding: Option<usize>) -> Result<Encoder> {
    let config = draft.config;
    config.only("position_embedding_type", "absolute")?;
    config.forbid(&["is_decoder", "add_cross_attention"])?;
    let width = config.size("hidden_size", 768)?;
    let bert = Bert {
        width,
        embedding: embedding.unwrap_or(width),
        layers: config.size("num_hidden_layers", 12)?,
        heads: draft.heads(width, ["num_attention_heads", "num_attention_heads"])?,
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
    let embedded = bert.embed(draft, counting)?;
    let mask = Mask::padding(&mut draft.builder);
    let mut states = embedded.states;
    for layer in 0..bert.layers {
        states = bert.layer(draft, &states, &format!("encoder.layer.{layer}"), &mask)?;
    }
    Ok(Encoder {
        output: states,
        width,
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
    fn embed(&self, draft: &mut Draft<'_>, counting: Counting) -> Result<Embedded> {
        let config = draft.config;
        let columns = self.embedding;
        let words = draft.table("embeddings.word_embeddings.weight", columns)?;
        let mut states = draft.lookup(&words, "input_ids");

        let types = draft.table("embeddings.token_type_embeddings.weight", columns)?;
        let (rows, inputs) = if types.rows > 1 {
            (draft.lookup(&types, "token_type_ids"), Inputs::IdsAndTypes)
        } else {
            (draft.first_row(&types), Inputs::Ids)
        };
        states = draft.add_values(&states, &rows);

        let positions = draft.table("embeddings.position_embeddings.weight", columns)?;
        let (ids, first) = match counting {
            Counting::All => (Positions::of_inputs(&mut draft.builder).0, 0),
            Counting::AfterPadding(padding) => {
                let ids = after_padding(&mut draft.builder, padding);
                (ids, usize::try_from(padding).unwrap_or_default() + 1)
            }
        };
        let rows = draft.lookup(&positions, &ids);
        states = draft.add_values(&states, &rows);
        if config.is_set("use_task_id")? {
            let tasks = draft.table("embeddings.task_type_embeddings.weight", columns)?;
            let row = draft.first_row(&tasks);
            states = draft.add_values(&states, &row);
        }
        let norm = Norm {
            width: columns,
            ..self.norm
        };
        states = draft.layer_norm(&states, "embeddings.LayerNorm", norm)?;
        if columns != self.width {
            let sizes = Sizes {
                inner: columns,
                outer: self.width,
            };
            states = draft.linear(&states, "embeddings_project", sizes, Bias::Present)?;
        }
        Ok(Embedded {
            states,
            max_positions: positions.rows.saturating_sub(first),
            inputs,
        })
    }

    fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        name: &str,
        mask: &Mask,
    ) -> Result<String> {
        let sizes = |inner, outer| Sizes { inner, outer };
        let square = sizes(self.width, self.heads.count * self.heads.columns);
        let mut operands = [const { String::new() }; 3];
        for (operand, part) in operands.iter_mut().zip(["query", "key", "value"]) {
            let name = format!("{name}.attention.self.{part}");
            let rows = draft.linear(states, &name, square, Bias::Present)?;
            *operand = (self.heads).split(&mut draft.builder, &rows, self.heads.count);
        }
        let attention = Attention {
            heads: self.heads,
            mask,
            rotary: None,
        };
        let context = attention.apply(&mut draft.builder, &operands);
        let output = format!("{name}.attention.output");
        let square = sizes(square.outer, self.width);
        let attended = draft.linear(&context, &format!("{output}.dense"), square, Bias::Present)?;
        let sum = draft.add_values(&attended, states);
        let states = draft.layer_norm(&sum, &format!("{output}.LayerNorm"), self.norm)?;

        let inner = draft.linear(
            &states,
            &format!("{name}.intermediate.dense"),
            sizes(self.width, self.intermediate),
            Bias::Present,
        )?;
        let inner = self.activation.apply(&mut draft.builder, &inner);
        let outer = draft.linear(
            &inner,
            &format!("{name}.output.dense"),
            sizes(self.intermediate, self.width),
            Bias::Present,
        )?;
        let sum = draft.add_values(&outer, &states);
        draft.layer_norm(&sum, &format!("{name}.output.LayerNorm"), self.norm)
    }
}

/// The id of padding for padding, and one more for each other token.
fn after_padding(builder: &mut Builder, padding: i64) -> String {
    let to_int = |node: NodeProto| node.with_int("to", INT64.into());
    let padding = builder.int(padding);
    let is_padding = builder.add("Equal", &["input_ids", &padding]);
    let is_token = builder.add("Not", &[&is_padding]);
    let tokens = builder.add_with("Cast", &[&is_token], to_int);
    let axis = builder.int(1);
    let counted = builder.add("CumSum", &[&tokens, &axis]);
    let counted = builder.add("Mul", &[&counted, &tokens]);
    builder.add("Add", &[&counted, &padding])
}
