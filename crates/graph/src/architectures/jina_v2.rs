//! Jina's second version: BERT with linear biases of attention and gates.
//!
//! Source: jinaai/jina-bert-implementation.

use super::bert::{self, WORDS};
use super::draft::Draft;
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Context, Inner};
use super::parameters::Bias;
use super::post_norm::{KEYS, Names, PostNorm};
use crate::blocks::{Activation, Mask, Pairs, Positions};
use crate::builder::Builder;
use crate::error::Result;
use crate::onnx::{FLOAT, NodeProto};

const GATED: Names = Names {
    inner: Inner::ActivatedThenFactor("mlp.gated_layers"),
    outer: "mlp.wo",
    outer_norm: "mlp.layernorm",
    ..bert::NAMES
};

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    config.forbid(&["is_decoder", "add_cross_attention"])?;
    let layers = layers(draft)?;
    let width = layers.width();
    let words = draft.words(WORDS, width)?;
    // A variant normalizes queries and keys, and has other gates.
    let other = draft
        .weights
        .get("encoder.layer.0.attention.self.layer_norm_q.weight");
    if let Some(found) = other {
        return Err(found.mismatch("none, as in jinaai/jina-bert-implementation"));
    }
    let (embedded, inputs) = draft.add_types(&words, width)?;
    let states = draft.layer_norm(&embedded, "embeddings.LayerNorm", layers.norm)?;
    let distances = distances(&mut draft.builder, layers.attention.heads.count);
    let mask = Mask::padding(&mut draft.builder);
    let context = Context {
        mask: mask.with_bias(&mut draft.builder, &distances),
        rotary: None,
    };
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 8192)?),
        inputs,
        heads: Heads::bert(layers.norm),
    })
}

fn layers(draft: &Draft<'_>) -> Result<PostNorm> {
    let key = "feed_forward_type";
    let activation = match draft.config.text(key)?.unwrap_or("original") {
        "original" => return PostNorm::read(draft, &KEYS, &bert::NAMES),
        "geglu" => Activation::Gelu,
        "reglu" => Activation::Relu,
        other => {
            let expected = "original, geglu or reglu";
            return Err((draft.config).refuse(key, expected, format!("`{other}`")));
        }
    };
    let mut layers = PostNorm::read(draft, &KEYS, &GATED)?;
    layers.feed_forward.activation = activation;
    layers.feed_forward.inner_bias = Bias::Absent;
    Ok(layers)
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
