//! Models, and the documents that they have encoded.

use std::sync::{PoisonError, RwLock};

use multivec::dense::Similarity;
use multivec::fusion::{RANK_OFFSET, reciprocal_rank_fusion};
use multivec::{AnyEncoder, Control, CrossEncoder, Error, RankedDocument, Result, TextKind};
use serde_json::{Value, json};

use crate::vectors::{Texts, Vectors};

/// Documents of a fused ranking that a cross-encoder reads.
const CANDIDATES: usize = 50;

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) index: usize,
    pub(crate) text: String,
    /// That of the cross-encoder, else the sum of reciprocal ranks.
    pub(crate) score: f32,
}

pub(crate) struct Collection {
    models: Vec<AnyEncoder>,
    reranker: Option<CrossEncoder>,
    documents: RwLock<Documents>,
}

struct Documents {
    texts: Vec<String>,
    /// In the order of the models.
    vectors: Vec<Vectors>,
}

impl Collection {
    /// With at most one cross-encoder.
    pub(crate) fn new(all: Vec<AnyEncoder>) -> Result<Self> {
        let (mut models, mut reranker) = (Vec::new(), None);
        for model in all {
            match model {
                AnyEncoder::Cross(_) if reranker.is_some() => {
                    return Err(Error::option("models", "one cross-encoder at most", "two"));
                }
                AnyEncoder::Cross(encoder) => reranker = Some(encoder),
                model => models.push(model),
            }
        }
        let documents = Documents {
            texts: Vec::new(),
            vectors: models.iter().map(|_| Vectors::default()).collect(),
        };
        Ok(Self {
            models,
            reranker,
            documents: RwLock::new(documents),
        })
    }

    pub(crate) fn models(&self) -> Value {
        let of = |model: &AnyEncoder| {
            let space = model.fingerprint().space();
            json!({ "kind": model.kind().to_string(), "dim": model.dim(), "space": space })
        };
        let mut models: Vec<Value> = self.models.iter().map(of).collect();
        models.extend(self.reranker.clone().map(|one| of(&AnyEncoder::Cross(one))));
        Value::Array(models)
    }

    /// Adds documents; how many there are then. They can be searched once all
    /// models have encoded them.
    pub(crate) fn add(&self, texts: Vec<String>, control: &Control) -> Result<usize> {
        let encoded = self.encoded(&texts, TextKind::Document, control)?;
        let mut documents = self
            .documents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for (vectors, new) in documents.vectors.iter_mut().zip(encoded) {
            vectors.extend(new);
        }
        documents.texts.extend(texts);
        Ok(documents.texts.len())
    }

    /// The best documents for a query.
    pub(crate) fn search(&self, query: &str, top: usize, control: &Control) -> Result<Vec<Found>> {
        let queries = self.encoded(&[query.to_owned()], TextKind::Query, control)?;
        let candidates = self.candidates(&queries)?;
        let mut found = match &self.reranker {
            None => candidates,
            Some(reranker) => {
                let read = &candidates[..candidates.len().min(CANDIDATES.max(top))];
                let texts: Vec<&str> = read.iter().map(|one| one.text.as_str()).collect();
                let ranking = reranker.with_control(control.clone()).rank(query, &texts)?;
                let found = ranking.into_iter().map(|ranked| Found {
                    score: ranked.score,
                    ..read[ranked.index].clone()
                });
                found.collect()
            }
        };
        found.truncate(top);
        Ok(found)
    }

    /// All texts by the cross-encoder's scores.
    pub(crate) fn rerank(
        &self,
        query: &str,
        texts: &[String],
        control: &Control,
    ) -> Result<Vec<RankedDocument>> {
        let missing = || Error::option("models", "a cross-encoder among them", "none");
        let reranker = self.reranker.as_ref().ok_or_else(missing)?;
        reranker.with_control(control.clone()).rank(query, texts)
    }

    fn encoded(&self, texts: &[String], kind: TextKind, control: &Control) -> Result<Vec<Vectors>> {
        let texts = Texts {
            texts,
            kind,
            control,
        };
        self.models
            .iter()
            .map(|model| Vectors::of(model, &texts))
            .collect()
    }

    /// All documents, in one ranking of those of the models.
    fn candidates(&self, queries: &[Vectors]) -> Result<Vec<Found>> {
        let documents = self
            .documents
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut rankings = Vec::new();
        for ((model, vectors), query) in self.models.iter().zip(&documents.vectors).zip(queries) {
            let similarity = match model {
                AnyEncoder::Dense(encoder) => encoder.similarity_function(),
                _ => Similarity::Cosine,
            };
            rankings.extend(vectors.rankings(query, similarity)?);
        }
        let fused = reciprocal_rank_fusion(rankings.iter().map(Vec::as_slice), RANK_OFFSET);
        let found = fused.into_iter().map(|ranked| Found {
            index: ranked.index,
            text: documents.texts[ranked.index].clone(),
            score: ranked.score,
        });
        Ok(found.collect())
    }
}
