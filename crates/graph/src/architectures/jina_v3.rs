//! Jina's third version, and its ColBERT: XLM-RoBERTa with rotary embedding.
//!
//! Source: jinaai/xlm-roberta-flash-implementation, and transformers.

use super::bert::WORDS;
use super::draft::Draft;
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Inner, Projection};
use super::parameters::Key;
use super::post_norm::{self, Keys, Names, PostNorm};
use super::rope;
use crate::error::Result;

const KEYS: Keys = Keys {
    width: Key("hidden_size", 1024),
    heads: Key("num_attention_heads", 16),
    layers: Key("num_hidden_layers", 24),
    intermediate: Key("intermediate_size", 4096),
    epsilon: ("layer_norm_eps", 1e-5),
    ..post_norm::KEYS
};

const NAMES: Names = Names {
    layers: "encoder.layers",
    projection: Projection::Together("mixer.Wqkv"),
    output: "mixer.out_proj",
    output_norm: "norm1",
    inner: Inner::Plain("mlp.fc1"),
    outer: "mlp.fc2",
    outer_norm: "norm2",
};

/// As the models' own code has it, without adapters.
pub(super) fn original(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    if let Some(adapters) = config.texts("lora_adaptations")?
        && !adapters.is_empty()
    {
        let found = adapters.join(", ");
        return Err(config.refuse("lora_adaptations", "none", found));
    }
    let base = config.number("rotary_emb_base", 10_000.)?;
    encoder(draft, base)
}

/// As transformers has it, where adapters are files of their own.
pub(super) fn of_transformers(draft: &mut Draft<'_>) -> Result<Encoder> {
    draft.config.only("position_embedding_type", "rotary")?;
    let base = rope::base(draft.config, "rope_theta", 20_000.)?;
    encoder(draft, base)
}

fn encoder(draft: &mut Draft<'_>, rope_base: f64) -> Result<Encoder> {
    let config = draft.config;
    let layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    let width = layers.width();
    let words = draft.words(WORDS, width)?;
    let (embedded, inputs) = draft.add_types(&words, width)?;
    let states = draft.layer_norm(&embedded, "emb_ln", layers.norm)?;
    let frequencies = rope::frequencies(config, rope_base, layers.attention.heads)?;
    let context = rope::context(&mut draft.builder, frequencies);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 8194)?),
        inputs,
        heads: Heads::roberta(layers.norm),
    })
}
