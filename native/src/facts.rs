//! What a loaded model says of itself.

use multivec_core::encoder::Head;
use multivec_core::{ModelKind, TextEncoder, TextKind};
use multivec_kernels::instruction_set;
use serde_json::{Value, json};

/// What a model is and how it runs: the JSON object that `multivec info` prints,
/// without what the files alone say. `model` is its id and commit, or null if it
/// was loaded from files.
pub fn facts<H: Head>(encoder: &TextEncoder<H>) -> Value {
    let (info, config) = (encoder.info(), encoder.config());
    let mut facts = json!({
        "model": encoder.origin(),
        "kind": encoder.kind().to_string(),
        "origin": encoder.origin(),
        "name": config.model_name,
        "file": info.model_file,
        "precision": info.precision.to_string(),
        "quantization": info.quantization.to_string(),
        "engine": format!("{} {}", info.engine, info.engine_version),
        "provider": info.provider,
        "instruction_set": instruction_set().ok().map(|set| set.to_string()),
        "side_by_side": encoder.concurrency(),
        "graph": info.graph.to_string(),
        "speed": info.speed.to_string(),
        "fallback_operators": info.fallback_operators,
        "padding": info.padding.to_string(),
        "dim": encoder.dim(),
        "query_length": encoder.length(TextKind::Query),
        "document_length": encoder.length(TextKind::Document),
        "query_prefix": config.query_prefix,
        "document_prefix": config.document_prefix,
        "lower_case": config.do_lower_case,
        "token_type_ids": info.uses_token_type_ids,
        "space": encoder.fingerprint().space(),
        "computed": encoder.fingerprint().computed(),
    });
    if encoder.kind() == ModelKind::MultiVector {
        facts["query_expansion"] = config.do_query_expansion.into();
        facts["attends_to_expansion"] = config.attend_to_expansion_tokens.into();
        facts["skiplist"] = config.skiplist_words.concat().into();
    }
    if !config.prompts.is_empty() {
        let names: Vec<&str> = config.prompts.keys().map(String::as_str).collect();
        facts["prompts"] = names.into();
    }
    facts
}
