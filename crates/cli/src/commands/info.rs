//! `multivec info`.

use clap::Args;
use multivec::{AnyEncoder, Head, ModelKind, Result, TextEncoder, TextKind, WeightsFile};
use serde_json::{Value, json};

use crate::arguments::{LoadedModel, ModelArguments};
use crate::console::{Format, print};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let LoadedModel { encoder, name, .. } = arguments.model.load_any()?;
    let facts = match &encoder {
        AnyEncoder::MultiVector(encoder) => facts(encoder, name),
        AnyEncoder::Dense(encoder) => facts(encoder, name),
        AnyEncoder::Sparse(encoder) => facts(encoder, name),
        AnyEncoder::Cross(encoder) => facts(encoder, name),
        _ => json!({}),
    };
    let facts = with_description(facts, &arguments.model)?;
    match (format, &facts) {
        (Format::Text, Value::Object(facts)) => facts.iter().try_for_each(|(key, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Array(values) if values.is_empty() => "none".to_owned(),
                Value::Array(values) => {
                    let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
                    texts.join(", ")
                }
                other => other.to_string(),
            };
            print(&format!("{key:<22}{value}"))
        }),
        _ => print(&facts.to_string()),
    }
}

/// What a loaded model says of itself.
fn facts<H: Head>(encoder: &TextEncoder<H>, name: String) -> Value {
    let (info, config) = (encoder.info(), encoder.config());
    let mut facts = json!({
        "model": encoder.origin().map_or(name, str::to_owned),
        "kind": encoder.kind().to_string(),
        "origin": encoder.origin(),
        "name": config.model_name,
        "file": info.model_file,
        "precision": info.precision.to_string(),
        "quantization": info.quantization.to_string(),
        "engine": format!("{} {}", info.engine, info.engine_version),
        "provider": info.provider,
        "instruction_set": multivec::instruction_set().ok().map(|set| set.to_string()),
        "side_by_side": encoder.concurrency(),
        "graph": info.graph.to_string(),
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

/// Adds what the files of a model directory say.
fn with_description(mut facts: Value, model: &ModelArguments) -> Result<Value> {
    let Some(directory) = model.directory()? else {
        return Ok(facts);
    };
    let description = directory.description();
    let modules: Vec<String> = description
        .modules
        .iter()
        .map(ToString::to_string)
        .collect();
    let weights: Vec<&str> = description.weights.iter().map(WeightsFile::path).collect();
    let unused = description.unused.iter().map(|unused| match &unused.key {
        Some(key) => format!("{} `{key}` ({})", unused.file, unused.reason),
        None => format!("{} ({})", unused.file, unused.reason),
    });
    let family = description
        .transformer
        .as_ref()
        .map(|family| family.model_type.as_str());
    let described = json!({
        "format": description.format.to_string(),
        "family": family.unwrap_or("not stated"),
        "modules": modules,
        "weights": weights,
        "unused": unused.collect::<Vec<_>>(),
    });
    if let (Value::Object(facts), Value::Object(described)) = (&mut facts, described) {
        facts.extend(described);
    }
    Ok(facts)
}
