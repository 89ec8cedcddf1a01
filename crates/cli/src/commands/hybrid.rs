//! Search by several models, or by one that is not of multi-vectors.

use std::cmp::Ordering;

use multivec::dense::Similarity;
use multivec::fusion::{RANK_OFFSET, reciprocal_rank_fusion};
use multivec::{
    AnyEncoder, DenseEmbedding, Embedding, Error, HybridEmbedding, Result, SparseEmbedding, rank,
};
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
    let mut rankings = Vec::new();
    for model in models {
        rankings.extend(self::rankings(model, search)?);
    }
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

/// All documents for each query, the best first; once for each kind of
/// embeddings that the model gives.
fn rankings(model: &AnyEncoder, search: &Search<'_>) -> Result<Vec<Vec<Vec<Hit>>>> {
    let texts: Vec<&str> = search
        .documents
        .iter()
        .map(|line| line.text.as_str())
        .collect();
    let queries = search.queries;
    Ok(match model {
        AnyEncoder::MultiVector(encoder) => {
            let documents = encoder.encode_documents(&texts)?;
            vec![by_tokens(&encoder.encode_queries(queries)?, &documents)?]
        }
        AnyEncoder::Dense(encoder) => {
            let documents = encoder.encode_documents(&texts)?;
            let similarity = encoder.similarity_function();
            let score =
                |query: &DenseEmbedding, one: &DenseEmbedding| query.similarity(one, similarity);
            vec![by_score(
                &encoder.encode_queries(queries)?,
                &documents,
                score,
            )?]
        }
        AnyEncoder::Sparse(encoder) => {
            let documents = encoder.encode_documents(&texts)?;
            vec![by_score(
                &encoder.encode_queries(queries)?,
                &documents,
                SparseEmbedding::dot,
            )?]
        }
        AnyEncoder::Hybrid(encoder) => {
            let documents = Parts::of(encoder.encode_documents(&texts)?);
            let queries = Parts::of(encoder.encode_queries(queries)?);
            let cosine = |query: &DenseEmbedding, one: &DenseEmbedding| {
                query.similarity(one, Similarity::Cosine)
            };
            vec![
                by_tokens(&queries.multi_vector, &documents.multi_vector)?,
                by_score(&queries.dense, &documents.dense, cosine)?,
                by_score(&queries.sparse, &documents.sparse, SparseEmbedding::dot)?,
            ]
        }
        other => {
            return Err(Error::option(
                "model",
                "a model that encodes single texts; `multivec rerank` scores pairs",
                format!("a {} model", other.kind()),
            ));
        }
    })
}

/// Embeddings of several texts, by their kinds.
#[derive(Default)]
struct Parts {
    dense: Vec<DenseEmbedding>,
    sparse: Vec<SparseEmbedding>,
    multi_vector: Vec<Embedding>,
}

impl Parts {
    fn of(found: Vec<HybridEmbedding>) -> Self {
        let mut parts = Self::default();
        for one in found {
            parts.dense.push(one.dense);
            parts.sparse.push(one.sparse);
            parts.multi_vector.push(one.multi_vector);
        }
        parts
    }
}

fn by_tokens(queries: &[Embedding], documents: &[Embedding]) -> Result<Vec<Vec<Hit>>> {
    let ranking = |query| {
        let ranked = rank(query, documents)?.into_iter();
        let hits = ranked.map(|ranked| Hit {
            index: ranked.index,
            score: ranked.score,
        });
        Ok(hits.collect())
    };
    queries.iter().map(ranking).collect()
}

fn by_score<T>(
    queries: &[T],
    documents: &[T],
    score: impl Fn(&T, &T) -> Result<f32>,
) -> Result<Vec<Vec<Hit>>> {
    let ranking = |query| {
        let scores = documents.iter().map(|document| score(query, document));
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
