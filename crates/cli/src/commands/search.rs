//! `multivec search`.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use multivec::{
    AnyEncoder, Control, Embedding, Error, Match, Ranked, Result, TokenRole, matches, rank,
};
use serde_json::{Value, json};

use super::{hybrid, search_vectors};
use crate::arguments::{LoadedModel, ModelArguments};
use crate::console::{Format, print};
use crate::failure::Failure;
use crate::input::{Input, InputArguments, InputText};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Documents: JSON Lines (objects with `text` and optionally `id`), plain
    /// text, one per line, or a table; `-` for stdin.
    #[arg(long, value_name = "FILE", required_unless_present = "vectors")]
    documents: Option<PathBuf>,
    /// Vectors that `encode` has written with `--store` or as a table, in place of
    /// documents.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["documents", "explain", "also"])]
    vectors: Option<PathBuf>,
    #[command(flatten)]
    texts: InputArguments,
    /// Documents to show per query.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top_k: usize,
    /// Models to search with as well, by directory or id; rankings are joined by
    /// their reciprocal ranks.
    #[arg(long, value_name = "DIR|ID", conflicts_with = "explain")]
    also: Vec<PathBuf>,
    /// Show the document token that each query token matched.
    #[arg(long)]
    explain: bool,
    /// Queries to search for.
    #[arg(required = true, value_name = "QUERY")]
    queries: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    if let Some(vectors) = &arguments.vectors {
        let search = search_vectors::Search {
            model: &arguments.model,
            queries: &arguments.queries,
            most: arguments.top_k,
        };
        return search_vectors::run(vectors, &search, format);
    }
    let documents = arguments.documents.as_deref().unwrap_or(Path::new("-"));
    let mut input = Input::open(documents, &arguments.texts)?;
    let texts = input.read_all()?;
    let LoadedModel { encoder, .. } = arguments.model.load_any()?;
    let encoder = match encoder {
        AnyEncoder::MultiVector(encoder) if arguments.also.is_empty() => encoder,
        other if arguments.explain => {
            let expected = "a multi-vector model, whose tokens match";
            let found = format!("a {} model", other.kind());
            return Err(Error::option("explain", expected, found).into());
        }
        other => {
            let mut models = vec![other];
            for also in &arguments.also {
                models.push(arguments.model.load_also(also)?);
            }
            let search = hybrid::Search {
                queries: &arguments.queries,
                documents: &texts,
                top_k: arguments.top_k,
            };
            let done = hybrid::run(&models, &search, format);
            return done.map_err(|error| Failure::in_input(error, &input, &texts));
        }
    };

    let bar = ProgressBar::new(texts.len() as u64);
    let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
    let moving = bar.clone();
    let control = Control::new().with_progress(move |progress| {
        moving.set_position(progress.done as u64);
    });
    let documents = encoder.with_control(control).encode_documents(&plain);
    let documents = documents.map_err(|error| Failure::in_input(error, &input, &texts))?;
    bar.finish_and_clear();

    let queries = encoder.encode_queries(&arguments.queries)?;
    let mut results = Vec::new();
    for (text, query) in arguments.queries.iter().zip(&queries) {
        let ranking = rank(query, &documents)?;
        let mut hits = Vec::new();
        for ranked in ranking.iter().take(arguments.top_k) {
            let pairs = if arguments.explain {
                let document = Side {
                    embedding: &documents[ranked.index],
                    text: plain[ranked.index],
                };
                explain(
                    Side {
                        embedding: query,
                        text,
                    },
                    document,
                )?
            } else {
                Vec::new()
            };
            hits.push(Hit {
                ranked: *ranked,
                pairs,
            });
        }
        match format {
            Format::Text => print_hits(text, &texts, &hits)?,
            Format::Json => results.push(json!({
                "query": text,
                "documents": hits.iter().map(|hit| hit_json(&texts, hit)).collect::<Vec<_>>(),
            })),
        }
    }
    if format == Format::Json {
        let found = json!({ "space": encoder.fingerprint().space(), "results": results });
        print(&found.to_string())?;
    }
    Ok(())
}

/// A document that a query found.
struct Hit {
    ranked: Ranked,
    /// Empty unless they were asked for.
    pairs: Vec<Pair>,
}

/// An embedding and its text.
#[derive(Clone, Copy)]
struct Side<'a> {
    embedding: &'a Embedding,
    text: &'a str,
}

/// A query token and the document token it matched.
struct Pair {
    query: String,
    document: String,
    score: f32,
}

/// The matches of tokens that come from the query's text. Those of markers and
/// mask tokens would explain nothing.
fn explain(query: Side<'_>, document: Side<'_>) -> Result<Vec<Pair>> {
    let found = matches(query.embedding, document.embedding)?;
    let pair = |(row, found): (usize, &Match)| {
        let tokens = query.embedding.row_tokens(row);
        let from_text = tokens.iter().any(|token| token.role == TokenRole::Text);
        from_text.then(|| Pair {
            query: spelled(query, row),
            document: found
                .row
                .map(|row| spelled(document, row))
                .unwrap_or_default(),
            score: found.score,
        })
    };
    Ok(found.iter().enumerate().filter_map(pair).collect())
}

/// The tokens of a row as the text spells them; those that are not from the
/// text as the vocabulary does.
fn spelled(side: Side<'_>, row: usize) -> String {
    let words: Vec<String> = side
        .embedding
        .row_tokens(row)
        .into_iter()
        .map(
            |token| match token.span.and_then(|span| side.text.get(span)) {
                Some(word) => word.to_owned(),
                None => token.text,
            },
        )
        .collect();
    words.join(" | ")
}

fn print_hits(query: &str, texts: &[InputText], hits: &[Hit]) -> Result<()> {
    print(query)?;
    for (place, hit) in (1..).zip(hits) {
        let text = &texts[hit.ranked.index].text;
        print(&format!("{place:>4}. {:>7.3}  {text}", hit.ranked.score))?;
        for pair in &hit.pairs {
            print(&format!(
                "      {:>7.3}    {} → {}",
                pair.score, pair.query, pair.document
            ))?;
        }
    }
    Ok(())
}

fn hit_json(texts: &[InputText], hit: &Hit) -> Value {
    let text = &texts[hit.ranked.index];
    json!({
        "index": hit.ranked.index,
        "id": text.id,
        "score": hit.ranked.score,
        "text": text.text,
        "matches": hit.pairs.iter().map(|pair| json!({
            "query": pair.query,
            "document": pair.document,
            "score": pair.score,
        })).collect::<Vec<_>>(),
    })
}
