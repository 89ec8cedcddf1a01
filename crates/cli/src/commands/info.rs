//! `multivec info`.

use clap::Args;
use multivec::{AnyEncoder, Result, WeightsFile, facts};
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
    let mut facts = match &encoder {
        AnyEncoder::MultiVector(encoder) => facts(encoder),
        AnyEncoder::Dense(encoder) => facts(encoder),
        AnyEncoder::Sparse(encoder) => facts(encoder),
        AnyEncoder::Cross(encoder) => facts(encoder),
        AnyEncoder::Hybrid(encoder) => {
            let mut facts = facts(encoder);
            facts["token_dim"] = encoder.token_dim().into();
            facts["kinds"] = json!(["multi-vector", "dense", "sparse"]);
            facts
        }
        _ => json!({}),
    };
    // Models of a hub name themselves.
    if facts["model"].is_null() {
        facts["model"] = name.into();
    }
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
