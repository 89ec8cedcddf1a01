//! `multivec search`.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use multivec::{Control, Embedding, Match, Ranked, Result, TokenRole, matches, rank};
use serde_json::{Value, json};

use crate::arguments::ModelArguments;
use crate::console::{Format, print};
use crate::input::{Input, InputText};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// `.jsonl` (objects with `text` and perhaps `id`) or plain text, one
    /// document a line; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    documents: PathBuf,
    /// How many documents to show for each query.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top_k: usize,
    /// Show which document token each query token matched.
    #[arg(long)]
    explain: bool,
    /// What to search for.
    #[arg(required = true, value_name = "QUERY")]
    queries: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let (mut input, _) = Input::open(&arguments.documents)?;
    let texts = input.read_all()?;
    let encoder = arguments.model.load()?.encoder;

    let bar = ProgressBar::new(texts.len() as u64);
    let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
    let moving = bar.clone();
    let control = Control::new().with_progress(move |progress| {
        moving.set_position(progress.done as u64);
    });
    let documents = encoder.with_control(control).encode_documents(&plain)?;
    bar.finish_and_clear();

    let queries = encoder.encode_queries(&arguments.queries)?;
    let mut results = Vec::new();
    for (text, query) in arguments.queries.iter().zip(&queries) {
        let ranking = rank(query, &documents)?;
        let mut hits = Vec::new();
        for ranked in ranking.iter().take(arguments.top_k) {
            let pairs = match arguments.explain {
                true => explain(query, text, &documents[ranked.index], plain[ranked.index])?,
                false => Vec::new(),
            };
            hits.push((*ranked, pairs));
        }
        match format {
            Format::Text => print_hits(text, &texts, &hits)?,
            Format::Json => results.push(json!({
                "query": text,
                "documents": hits.iter().map(|hit| hit_json(&texts, hit)).collect::<Vec<_>>(),
            })),
        }
    }
    match format {
        Format::Text => Ok(()),
        Format::Json => print(
            &json!({ "space": encoder.fingerprint().space(), "results": results }).to_string(),
        ),
    }
}

/// A query token and the document token it matched.
struct Pair {
    query: String,
    document: String,
    score: f32,
}

/// The matches of the query's own tokens; markers and mask tokens say nothing
/// to a reader.
fn explain(
    query: &Embedding,
    query_text: &str,
    document: &Embedding,
    document_text: &str,
) -> Result<Vec<Pair>> {
    let found = matches(query, document)?;
    let pair = |(row, found): (usize, &Match)| {
        let tokens = query.row_tokens(row);
        let from_text = tokens.iter().any(|token| token.role == TokenRole::Text);
        from_text.then(|| Pair {
            query: spelled(query, row, query_text),
            document: found
                .row
                .map(|row| spelled(document, row, document_text))
                .unwrap_or_default(),
            score: found.score,
        })
    };
    Ok(found.iter().enumerate().filter_map(pair).collect())
}

/// The words behind a row as they stand in the text, or the vocabulary's name
/// of a token that is not from the text.
fn spelled(embedding: &Embedding, row: usize, text: &str) -> String {
    let words: Vec<String> = embedding
        .row_tokens(row)
        .into_iter()
        .map(|token| match token.span.and_then(|span| text.get(span)) {
            Some(word) => word.to_owned(),
            None => token.text,
        })
        .collect();
    words.join(" | ")
}

fn print_hits(query: &str, texts: &[InputText], hits: &[(Ranked, Vec<Pair>)]) -> Result<()> {
    print(query)?;
    for (place, (ranked, pairs)) in (1..).zip(hits) {
        let text = &texts[ranked.index].text;
        print(&format!("{place:>4}. {:>7.3}  {text}", ranked.score))?;
        for pair in pairs {
            print(&format!(
                "      {:>7.3}    {} → {}",
                pair.score, pair.query, pair.document
            ))?;
        }
    }
    Ok(())
}

fn hit_json(texts: &[InputText], (ranked, pairs): &(Ranked, Vec<Pair>)) -> Value {
    let text = &texts[ranked.index];
    json!({
        "index": ranked.index,
        "id": text.id,
        "score": ranked.score,
        "text": text.text,
        "matches": pairs.iter().map(|pair| json!({
            "query": pair.query,
            "document": pair.document,
            "score": pair.score,
        })).collect::<Vec<_>>(),
    })
}
