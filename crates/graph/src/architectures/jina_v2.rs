//! Jina's second version: BERT with linear biases of attention and gates.
//!
//! Source: jinaai/jina-bert-implementation.

use super::bert::Bert;
use super::draft::{Bias, Draft, Encoder, Gate, Half, Sizes};
use crate::blocks::{Activation, Mask, Pairs, Positions};
use crate::builder::Builder;
use crate::error::Result;
use crate::onnx::{FLOAT, NodeProto};

/// How layers after attention are built.
#[derive(Clone, Copy)]
enum FeedForward {
    /// As in BERT.
    Plain,
    Gated(Activation),
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let bert = Bert::read(draft)?;
    let config = draft.config;
    let key = "feed_forward_type";
    let feed_forward = match config.text(key)?.unwrap_or("original") {
        "original" => FeedForward::Plain,
        "geglu" => FeedForward::Gated(Activation::Gelu),
        "reglu" => FeedForward::Gated(Activation::Relu),
        other => {
            let expected = "original, geglu or reglu";
            return Err(config.refuse(key, expected, format!("`{other}`")));
        }
    };
    draft
        .weights
        .find_prefix("embeddings.word_embeddings.weight")?;
    // A variant normalizes queries and keys, and has other gates.
    if let Some(found) = draft
        .weights
        .get("encoder.layer.0.attention.self.layer_norm_q.weight")
    {
        return Err(found.mismatch("none, as in jinaai/jina-bert-implementation"));
    }
    let words = draft.table("embeddings.word_embeddings.weight", bert.width)?;
    let words = draft.lookup(&words, "input_ids");
    let (embedded, inputs) = draft.add_types(&words, bert.width)?;
    let mut states = draft.layer_norm(&embedded, "embeddings.LayerNorm", bert.norm)?;
    let distances = distances(&mut draft.builder, bert.heads.count);
    let mask = Mask::padding(&mut draft.builder);
    let mask = mask.with_bias(&mut draft.builder, &distances);
    for layer in 0..bert.layers {
        let name = format!("encoder.layer.{layer}");
        states = bert.attend(draft, &states, &name, &mask)?;
        states = match feed_forward {
            FeedForward::Plain => bert.feed_forward(draft, &states, &name)?,
            FeedForward::Gated(activation) => {
                let gate = Gate {
                    activation,
                    first: Half::Activated,
                };
                gated(&bert, draft, [&states, &name], gate)?
            }
        };
    }
    Ok(Encoder {
        output: states,
        width: bert.width,
        max_positions: Some(config.size("max_position_embeddings", 8192)?),
        inputs,
    })
}

fn gated(
    bert: &Bert,
    draft: &mut Draft<'_>,
    [states, layer]: [&str; 2],
    gate: Gate,
) -> Result<String> {
    let name = format!("{layer}.mlp");
    let sizes = Sizes::new(bert.width, 2 * bert.intermediate);
    let inner = draft.linear(states, &format!("{name}.gated_layers"), sizes, Bias::Absent)?;
    let inner = draft.gate(&inner, bert.intermediate, gate);
    let sizes = Sizes::new(bert.intermediate, bert.width);
    let outer = draft.linear(&inner, &format!("{name}.wo"), sizes, Bias::Present)?;
    draft.sum_norm([&outer, states], &format!("{name}.layernorm"), bert.norm)
}

/// What is added to scores, `[heads, length, length]`: a head's slope times the
/// distance, negated.
fn distances(builder: &mut Builder, heads: usize) -> String {
    let to_float = |node: NodeProto| node.with_int("to", FLOAT.into());
    let Pairs { seen, seeing } = Positions::of_inputs(builder).pairs(builder);
    let difference = builder.add("Sub", &[&seen, &seeing]);
    let difference = builder.add_with("Cast", &[&difference], to_float);
    let distance = builder.add("Abs", &[&difference]);
    let slopes = slopes(heads).into_iter().map(|slope| -slope as f32);
    let slopes = builder.floats(&[heads as i64, 1, 1], slopes.collect());
    builder.add("Mul", &[&slopes, &distance])
}

/// The slope of each head.
///
/// Source: Press et al., 2022, and their code for numbers of heads that are no
/// power of 2.
fn slopes(heads: usize) -> Vec<f64> {
    // The largest power of 2 among them.
    let power = 1 << heads.max(1).ilog2();
    let ratio = |count: usize| 2f64.powf(-8. / count as f64);
    let geometric = |count: usize| (1..=count as i32).map(move |at| ratio(count).powi(at));
    let others = geometric(2 * power).step_by(2).take(heads - power);
    geometric(power).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_paper() {
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            let mut pairs = found.iter().zip(expected);
            assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        };
        near(slopes(2), &[1. / 16., 1. / 256.]);
        near(slopes(4), &[0.25, 1. / 16., 1. / 64., 1. / 256.]);
        near(
            slopes(6),
            &[0.25, 1. / 16., 1. / 64., 1. / 256., 0.5, 0.125],
        );
    }
}
