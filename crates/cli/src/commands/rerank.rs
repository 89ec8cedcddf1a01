//! `multivec rerank`.

use std::path::PathBuf;

use clap::Args;
use multivec::{CrossEncoder, Error, Prediction};
use serde_json::{Value, json};

use crate::arguments::{LoadedModel, ModelArguments};
use crate::console::{Format, print};
use crate::failure::Failure;
use crate::input::{Input, InputArguments, InputText, text_name};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The query.
    #[arg(long, value_name = "TEXT")]
    query: String,
    /// Documents: JSON Lines (objects with `text` and optionally `id`) or plain
    /// text, one per line; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    texts: InputArguments,
    /// Documents to show [default: all].
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let mut input = Input::open(&arguments.input, &arguments.texts)?;
    let texts = input.read_all()?;
    let LoadedModel { encoder, .. } = arguments.model.load_cross_encoder()?;
    if encoder.labels() != 1 {
        let found = encoder.labels();
        let expected = "a model with one label, to rank by it";
        return Err(Error::option("model", expected, format!("one with {found}")).into());
    }
    let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
    let job = encoder.start_pairs(&arguments.query, &plain);
    let found = job.and_then(multivec::EncodeJob::finish);
    let found = found.map_err(|error| Failure::in_input(error, &input, &texts))?;
    let ranking = CrossEncoder::ranking(&found);
    let shown = arguments.top_k.unwrap_or(ranking.len());
    for document in ranking.iter().take(shown) {
        let (text, prediction) = (&texts[document.index], &found[document.index]);
        print(&match format {
            Format::Json => line(text, document.score, prediction).to_string(),
            Format::Text => format!("{:>9.4}  {}  {}", document.score, id(text), text.text),
        })?;
    }
    Ok(())
}

fn id(text: &InputText) -> String {
    text_name(text.index, text.id.as_ref().unwrap_or(&Value::Null))
}

fn line(text: &InputText, score: f32, prediction: &Prediction) -> Value {
    json!({
        "id": id(text),
        "score": score,
        "logits": prediction.logits,
    })
}
