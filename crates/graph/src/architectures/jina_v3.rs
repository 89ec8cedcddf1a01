//! Jina's third version, and its ColBERT: XLM-RoBERTa with rotary embedding. Its
//! second reranker has the same layers behind a table of positions.
//!
//! Source: jinaai/xlm-roberta-flash-implementation and
//! jinaai/jina-reranker-v2-base-multilingual, and transformers.

use super::bert::{self, Counting, WORDS};
use super::config::Config;
use super::draft::Draft;
use super::encoder::Encoder;
use super::heads::Heads;
use super::layers::{Context, Inner, Projection};
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
    without_adapters(draft.config)?;
    let base = draft.config.number("rotary_emb_base", 10_000.)?;
    encoder(draft, base)
}

/// Whether weights are named as in the models' own code.
pub(super) fn has_its_names(draft: &mut Draft<'_>) -> Result<bool> {
    draft.weights.find_prefix(WORDS)?;
    let first = draft.weights.get("encoder.layers.0.mixer.Wqkv.weight");
    Ok(first.is_some())
}

/// With a table of positions, as the second reranker.
pub(super) fn with_positions(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    config.only("position_embedding_type", "absolute")?;
    without_adapters(config)?;
    // The code beside models has other defaults than the shared one.
    for key in ["num_attention_heads", "num_hidden_layers", KEYS.epsilon.0] {
        if config.get(key).is_none() {
            return Err(config.refuse(key, "a number", "none"));
        }
    }
    let layers = PostNorm::read(draft, &KEYS, &NAMES)?;
    let counting = Counting::AfterPadding(config.index("pad_token_id", 1)?);
    let embedded = bert::embed(draft, counting, layers.width())?;
    let states = draft.layer_norm(&embedded.sum, "emb_ln", layers.norm)?;
    let context = Context::absolute(&mut draft.builder);
    Ok(Encoder {
        output: layers.apply(draft, states, &context)?,
        width: layers.width(),
        max_positions: Some(embedded.max_positions),
        inputs: embedded.inputs,
        heads: Heads::roberta(layers.norm),
    })
}

fn without_adapters(config: &Config<'_>) -> Result<()> {
    match config.texts("lora_adaptations")? {
        Some(adapters) if !adapters.is_empty() => {
            let found = adapters.join(", ");
            Err(config.refuse("lora_adaptations", "none", found))
        }
        _ => Ok(()),
    }
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
