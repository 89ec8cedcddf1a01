//! `multivec search --vectors`.

use std::path::Path;
use std::thread::available_parallelism;

use multivec::corpus::{self, Corpus, SearchOptions};
use multivec::{Error, Ranked, ThreadPool};
use serde_json::{Value, json};

use super::table_vectors;
use crate::arguments::ModelArguments;
use crate::console::{Format, io_error, print};
use crate::failure::Failure;
use crate::input::InputFormat;

/// What is searched for.
pub(crate) struct Search<'a> {
    pub(crate) model: &'a ModelArguments,
    pub(crate) queries: &'a [String],
    /// Documents to show per query.
    pub(crate) most: usize,
}

/// Searches the corpus that `encode --store` has written, or a table.
pub(crate) fn run(path: &Path, search: &Search<'_>, format: Format) -> Result<(), Failure> {
    let corpus = match InputFormat::of_name(path) {
        InputFormat::Parquet | InputFormat::Arrow => table_vectors::read(path)?,
        _ => corpus::open(path)?,
    };
    let options = search.model.options()?;
    let count = options.threads;
    let encoder = search.model.load_with(options)?.encoder;
    let fingerprint = encoder.fingerprint();
    let count = count.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let mut threads = ThreadPool::default();
    let started = threads.grow_to(count);
    started.map_err(|error| io_error("threads", "starting", error))?;
    let queries = encoder.encode_queries(search.queries)?;
    let options = SearchOptions::new(search.most)
        .with_threads(&threads)
        .with_fingerprint(fingerprint);
    let found = corpus
        .search_many(&queries, &options)
        .map_err(|error| of_corpus(path, error))?;
    match format {
        Format::Text => {
            for (query, hits) in search.queries.iter().zip(&found) {
                print(query)?;
                for (place, hit) in (1..).zip(hits) {
                    let id = corpus.id(hit.index).unwrap_or_default();
                    print(&format!("{place:>4}. {:>7.3}  {id}", hit.score))?;
                }
            }
        }
        Format::Json => {
            let results = search.queries.iter().zip(&found).map(|(query, hits)| {
                let documents = hits.iter().map(|hit| hit_json(&corpus, hit));
                json!({ "query": query, "documents": documents.collect::<Vec<_>>() })
            });
            let results: Vec<Value> = results.collect();
            let found = json!({ "space": fingerprint.space(), "results": results });
            print(&found.to_string())?;
        }
    }
    Ok(())
}

/// Says which file is of another space.
fn of_corpus(path: &Path, error: Error) -> Failure {
    match error {
        Error::FingerprintMismatch {
            expected, found, ..
        } => {
            let expected = format!("vectors of the model's space, {expected}");
            Error::invalid_file(path.display(), expected, format!("space {found}")).into()
        }
        error => error.into(),
    }
}

fn hit_json(corpus: &Corpus, hit: &Ranked) -> Value {
    json!({ "index": hit.index, "id": corpus.id(hit.index), "score": hit.score })
}
