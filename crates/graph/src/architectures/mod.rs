//! The graphs of published models, from `config.json` and the weights'
//! headers.
//!
//! Each family is a file that says how its weights are named and in what order
//! they are applied. The graphs have standard operators only, in the forms that
//! [`fuse`](crate::fuse) recognises. Weights stay in their files.
//!
//! Source of what families compute: transformers, `src/transformers/models`,
//! where nothing else is named.

mod bert;
mod config;
mod decoder;
mod distilbert;
mod draft;
mod encoder;
mod gte;
mod heads;
mod jina_v2;
mod jina_v3;
mod layers;
mod lfm2;
mod modernbert;
mod mpnet;
mod nomic;
mod parameters;
mod post_norm;
mod pre_norm;
mod relative;
mod rope;
mod sight;
mod t5;
mod weights;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::safetensors::WeightIndex;
use config::Config;
use draft::Draft;
use encoder::Encoder;
use heads::Rows;

pub use heads::Head;

/// The graph of a model, and what its configuration says of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Architecture {
    /// Takes `input_ids`, `attention_mask` and, with more than one token type,
    /// `token_type_ids`, all `[batch, length]` of 64-bit integers; returns the
    /// last hidden states as [`OUTPUT`], `[batch, length, width]`, or what a
    /// [`Head`] makes of them as [`LOGITS`]. Initializers of more than a few elements are external tensors, by their names in the
    /// files.
    pub graph: Graph,
    /// The configuration's `model_type`.
    pub model_type: String,
    /// Columns of the output: hidden ones, tokens of the vocabulary or labels.
    pub width: usize,
    /// Tokens of the longest text.
    pub max_positions: Option<usize>,
}

/// The name of the output of architectures' graphs without a head.
pub const OUTPUT: &str = "token_embeddings";

/// The name of a head's output.
pub const LOGITS: &str = "logits";

/// The key by which families of the same name are told apart.
const POSITIONS: &str = "position_embedding_type";

/// Writes a family's graph.
type Family = fn(&mut Draft<'_>) -> Result<Encoder>;

/// The families by `model_type`.
const FAMILIES: [(&str, Family); 24] = [
    ("bert", bert),
    ("bidirectional_pplx_qwen3", decoder::qwen3_bidirectional),
    ("camembert", bert::roberta),
    ("distilbert", distilbert::encoder),
    ("electra", bert::electra),
    ("ernie", bert::bert),
    ("eurobert", decoder::eurobert),
    ("gemma3_text", decoder::gemma3::encoder),
    ("gte", gte::encoder),
    ("jina_embeddings_v3", jina_v3::of_transformers),
    ("lfm2", lfm2::encoder),
    ("llama", decoder::llama),
    ("llama_bidirec", decoder::llama_bidirectional),
    ("mistral", decoder::mistral),
    ("modernbert", modernbert::encoder),
    ("mpnet", mpnet::encoder),
    ("mt5", t5::encoder),
    ("new", gte::encoder),
    ("nomic_bert", nomic::encoder),
    ("qwen2", decoder::qwen2),
    ("qwen3", decoder::qwen3),
    ("roberta", bert::roberta),
    ("t5", t5::encoder),
    ("xlm-roberta", xlm_roberta),
];

/// BERT, or Jina's second version, which calls itself so.
fn bert(draft: &mut Draft<'_>) -> Result<Encoder> {
    match draft.config.text(POSITIONS)? {
        Some("alibi") => jina_v2::encoder(draft),
        _ => bert::bert(draft),
    }
}

/// XLM-RoBERTa, or Jina's models, which call themselves so.
fn xlm_roberta(draft: &mut Draft<'_>) -> Result<Encoder> {
    match draft.config.text(POSITIONS)? {
        Some("rotary") => jina_v3::original(draft),
        _ if jina_v3::has_its_names(draft)? => jina_v3::with_positions(draft),
        _ => bert::roberta(draft),
    }
}

/// The values of `model_type` whose models [`build`] can write.
pub fn model_types() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|(name, _)| *name)
}

/// The `model_type` of configurations that leave it out, by the class that
/// `auto_map.AutoConfig` names.
pub fn model_type_of(class: &str) -> Option<&'static str> {
    match class.rsplit('.').next() {
        Some("XLMRobertaFlashConfig") => Some("xlm-roberta"),
        _ => None,
    }
}

/// Writes the graph of a model up to a head. `config` is its `config.json`, `file` the
/// file's name in errors.
///
/// # Errors
/// [`Error::InvalidFile`] if the configuration is not JSON,
/// [`Error::ModelMismatch`] if the family, or an option of it, is not
/// implemented, it has no such head, or a weight is absent or of another shape.
pub fn build(
    file: &str,
    config: &[u8],
    weights: &WeightIndex,
    head: Head<'_>,
) -> Result<Architecture> {
    let config = Config::parse(file, config)?;
    let model_type = model_type(&config)?;
    let mut families = FAMILIES.iter().filter(|(name, _)| *name == model_type);
    let Some((_, family)) = families.next() else {
        let known: Vec<&str> = model_types().collect();
        let known = format!("one of {}", known.join(", "));
        return Err(Error::mismatch(
            file,
            "model_type",
            known,
            format!("`{model_type}`"),
        ));
    };
    let mut draft = Draft::new(&config, weights);
    let encoder = family(&mut draft)?;
    let states = Rows {
        value: encoder.output,
        width: encoder.width,
    };
    let rows = encoder.heads.append(&mut draft, states, head)?;
    Ok(Architecture {
        width: rows.width,
        max_positions: encoder.max_positions,
        graph: draft.finish(&rows.value, head.declare(rows.width), encoder.inputs),
        model_type: model_type.to_owned(),
    })
}

fn model_type<'a>(config: &'a Config<'_>) -> Result<&'a str> {
    if let Some(stated) = config.text("model_type")? {
        return Ok(stated);
    }
    let classes = config.section("auto_map")?;
    let class = match &classes {
        Some(classes) => classes.text("AutoConfig")?,
        None => None,
    };
    Ok(class.and_then(model_type_of).unwrap_or_default())
}
