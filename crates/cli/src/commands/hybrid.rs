//! Search by several models, or by one that is not of multi-vectors.

use std::cmp::Ordering;

use multivec::fusion::{RANK_OFFSET, reciprocal_rank_fusion};
use multivec::{AnyEncoder, DenseEncoder, Encoder, Error, Result, SparseEncoder, rank};
use serde_json::{Value, json};

use crate::console::{Format, print};
use crate::input::InputText;

/// Documents that a model contributes to a fused ranking.
const CANDIDATES: usize = 1000;

/// What is searched for, and where.
pub(super) struct Search<'a> {
    pub(super) queries: &'a [String],
    pub(super) documents: &'a [InputText],
    pub(super) top_k: usize,
}

/// A document and its score.
#[derive(Clone, Copy)]
struct Hit {
    index: usize,
    score: f32,
}

/// Ranks documents by each model, and fuses the rankings of several by their
/// reciprocal ranks.
pub(super) fn run(models: &[AnyEncoder], search: &Search<'_>, format: Format) -> Result<()> {
    let rankings = models.iter().map(|model| rankings(model, search));
    let rankings: Vec<Vec<Vec<Hit>>> = rankings.collect::<Result<_>>()?;
    let mut results = Vec::new();
    for (at, query) in search.queries.iter().enumerate() {
        let of_models: Vec<&[Hit]> = rankings.iter().map(|ranking| &*ranking[at]).collect();
        let hits = fused(&of_models);
        let hits = &hits[..hits.len().min(search.top_k)];
        match format {
            Format::Text => print_hits(query, search.documents, hits)?,
            Format::Json => results.push(json!({
                "query": query,
                "documents": hits.iter().map(|hit| line(search.documents, hit)).collect::<Vec<_>>(),
            })),
        }
    }
    if format == Format::Json {
        let spaces: Vec<&str> = models.iter().map(|one| one.fingerprint().space()).collect();
        print(&json!({ "spaces": spaces, "results": results }).to_string())?;
    }
    Ok(())
}

fn fused(rankings: &[&[Hit]]) -> Vec<Hit> {
    if let [only] = rankings {
        return only.to_vec();
    }
    let lists: Vec<Vec<usize>> = rankings
        .iter()
        .map(|hits| hits.iter().take(CANDIDATES).map(|hit| hit.index).collect())
        .collect();
    let fused = reciprocal_rank_fusion(lists.iter().map(Vec::as_slice), RANK_OFFSET);
    let hits = fused.into_iter();
    hits.map(|ranked| Hit {
        index: ranked.index,
        score: ranked.score,
    })
    .collect()
}

/// All documents for each query, the best first.
fn rankings(model: &AnyEncoder, search: &Search<'_>) -> Result<Vec<Vec<Hit>>> {
    let texts: Vec<&str> = search
        .documents
        .iter()
        .map(|line| line.text.as_str())
        .collect();
    match model {
        AnyEncoder::MultiVector(encoder) => of_multi_vectors(encoder, search.queries, &texts),
        AnyEncoder::Dense(encoder) => of_dense(encoder, search.queries, &texts),
        AnyEncoder::Sparse(encoder) => of_sparse(encoder, search.queries, &texts),
        other => Err(Error::option(
            "model",
            "a model that encodes single texts; `multivec rerank` scores pairs",
            format!("a {} model", other.kind()),
        )),
    }
}

fn of_multi_vectors(
    encoder: &Encoder,
    queries: &[String],
    texts: &[&str],
) -> Result<Vec<Vec<Hit>>> {
    let documents = encoder.encode_documents(texts)?;
    let queries = encoder.encode_queries(queries)?;
    let ranking = |query| {
        let ranked = rank(query, &documents)?.into_iter();
        let hits = ranked.map(|ranked| Hit {
            index: ranked.index,
            score: ranked.score,
        });
        Ok(hits.collect())
    };
    queries.iter().map(ranking).collect()
}

fn of_dense(encoder: &DenseEncoder, queries: &[String], texts: &[&str]) -> Result<Vec<Vec<Hit>>> {
    let documents = encoder.encode_documents(texts)?;
    let queries = encoder.encode_queries(queries)?;
    let ranking = |query| {
        let scores = documents.iter().map(|one| encoder.similarity(query, one));
        Ok(sorted(scores.collect::<Result<_>>()?))
    };
    queries.iter().map(ranking).collect()
}

fn of_sparse(encoder: &SparseEncoder, queries: &[String], texts: &[&str]) -> Result<Vec<Vec<Hit>>> {
    let documents = encoder.encode_documents(texts)?;
    let queries = encoder.encode_queries(queries)?;
    let ranking = |query: &multivec::SparseEmbedding| {
        let scores = documents.iter().map(|document| query.dot(document));
        Ok(sorted(scores.collect::<Result<_>>()?))
    };
    queries.iter().map(ranking).collect()
}

/// By descending score; equal ones keep their order.
fn sorted(scores: Vec<f32>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = scores
        .into_iter()
        .enumerate()
        .map(|(index, score)| Hit { index, score })
        .collect();
    hits.sort_by(|one, other| -> Ordering { other.score.total_cmp(&one.score) });
    hits
}

fn print_hits(query: &str, documents: &[InputText], hits: &[Hit]) -> Result<()> {
    print(query)?;
    hits.iter().try_for_each(|hit| {
        let text = &documents[hit.index].text;
        print(&format!("{:>9.4}  {text}", hit.score))
    })
}

fn line(documents: &[InputText], hit: &Hit) -> Value {
    let text = &documents[hit.index];
    json!({
        "index": hit.index,
        "id": text.id,
        "score": hit.score,
        "text": text.text,
    })
}
