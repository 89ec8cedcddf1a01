//! DistilBERT.

use super::bert::WORDS;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::{Classifier, Dense, Function, Heads, Masked, Place, Pooling, Transform};
use super::layers::{Context, Inner, Projection};
use super::parameters::{Bias, Key, Norm};
use super::post_norm::{Keys, Names, PostNorm};
use crate::blocks::{Activation, Positions};
use crate::error::Result;

const KEYS: Keys = Keys {
    width: Key("dim", 768),
    heads: Key("n_heads", 12),
    layers: Key("n_layers", 6),
    intermediate: Key("hidden_dim", 3072),
    activation: Some("activation"),
    // No configuration states it.
    epsilon: ("layer_norm_eps", 1e-12),
};

const NAMES: Names = Names {
    layers: "transformer.layer",
    projection: Projection::Apart(["attention.q_lin", "attention.k_lin", "attention.v_lin"]),
    output: "attention.out_lin",
    output_norm: "sa_layer_norm",
    inner: Inner::Plain("ffn.lin1"),
    outer: "ffn.lin2",
    outer_norm: "output_layer_norm",
};

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    let width = layers.width();
    let words = draft.words(WORDS, width)?;
    let positions = draft.table("embeddings.position_embeddings.weight", width)?;
    let ids = Positions::of_inputs(&mut draft.builder).0;
    let rows = draft.lookup(&positions, &ids);
    let states = draft.sum_norm([&words, &rows], "embeddings.LayerNorm", layers.norm)?;
    let context = Context::absolute(&mut draft.builder);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(positions.rows),
        inputs: Inputs::Ids,
        heads: heads(layers.norm),
    })
}

fn heads(norm: Norm) -> Heads {
    Heads {
        masked: Some(Masked {
            transform: Some(Transform {
                dense: "vocab_transform",
                bias: Bias::Present,
                function: Function::Stated("activation", Activation::Gelu),
                norm_name: "vocab_layer_norm",
                norm,
            }),
            decoder: "vocab_projector",
            biases: &["vocab_projector.bias"],
        }),
        classifier: Some(Classifier {
            pooling: Pooling::First,
            dense: Some(Dense {
                name: "pre_classifier",
                place: Place::Root,
                bias: Bias::Present,
                function: Function::Fixed(Activation::Relu),
                norm: None,
            }),
            output: "classifier",
            bias: Bias::Present,
        }),
        causal: None,
    }
}
