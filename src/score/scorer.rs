//! Scores on threads that the caller lends.

use std::fmt;

use multivec_kernels::{MaxSim, Parallel, QueryFormat, Serial};
use ndarray::{ArrayView2, CowArray, Ix2};

use super::query::{check_query, not_finite};
use super::ranking::{Best, Ranked};
use crate::embedding::Embedding;
use crate::error::{Error, Result};

/// Scores documents on threads that the caller lends; on the calling thread alone
/// unless any are given. Scores do not depend on threads, nor on which documents
/// are scored together.
///
/// ```
/// use multivec_core::score::{Scorer, rank};
/// use multivec_core::{Embedding, ThreadPool};
///
/// let mut threads = ThreadPool::default();
/// threads.grow_to(2)?;
/// let query = Embedding::from_rows(vec![1.0, 0.0], 2)?;
/// let documents = [
///     Embedding::from_rows(vec![0.0, 1.0, 0.6, 0.8], 2)?,
///     Embedding::from_rows(vec![0.8, 0.6], 2)?,
/// ];
/// let ranking = Scorer::new().with_threads(&threads).rank(&query, &documents)?;
/// assert_eq!(ranking, rank(&query, &documents)?);
/// assert_eq!(ranking[0].index, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Scorer<'a> {
    threads: &'a dyn Parallel,
}

impl Scorer<'_> {
    /// On the calling thread alone.
    pub fn new() -> Self {
        Self { threads: &Serial }
    }
}

impl Default for Scorer<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scorer")
            .field("threads", &self.threads.threads())
            .finish()
    }
}

impl<'a> Scorer<'a> {
    /// On these threads.
    #[must_use]
    pub fn with_threads(self, threads: &'a dyn Parallel) -> Self {
        Self { threads }
    }

    /// As [`max_sim`](super::max_sim()).
    ///
    /// # Errors
    /// As [`max_sim`](super::max_sim()).
    pub fn max_sim(&self, query: &Embedding, document: &Embedding) -> Result<f32> {
        let scores = self.scores(query.view(), &[(0, document.view())]);
        let scores = scores.map_err(|error| match error {
            Error::DimensionMismatch {
                expected, found, ..
            } => Error::dimension_mismatch("document", expected, found),
            error => error,
        })?;
        Ok(scores.iter().sum())
    }

    /// As [`max_sim_many`](super::max_sim_many).
    ///
    /// # Errors
    /// As [`max_sim_many`](super::max_sim_many).
    pub fn max_sim_many(&self, query: &Embedding, documents: &[Embedding]) -> Result<Vec<f32>> {
        let documents: Vec<_> = documents.iter().map(Embedding::view).enumerate().collect();
        self.scores(query.view(), &documents)
    }

    /// As [`max_sim_many`](super::max_sim_many), for vectors that the caller
    /// holds: `[tokens, dim]` each. They are read in place where their rows
    /// follow each other, and copied where they do not.
    ///
    /// # Errors
    /// As [`max_sim_many`](super::max_sim_many).
    pub fn max_sim_views(
        &self,
        query: ArrayView2<'_, f32>,
        documents: &[ArrayView2<'_, f32>],
    ) -> Result<Vec<f32>> {
        let documents: Vec<_> = documents.iter().copied().enumerate().collect();
        self.scores(query, &documents)
    }

    /// As [`rank`](super::rank).
    ///
    /// # Errors
    /// As [`max_sim_many`](super::max_sim_many).
    pub fn rank(&self, query: &Embedding, documents: &[Embedding]) -> Result<Vec<Ranked>> {
        let documents: Vec<_> = documents.iter().map(Embedding::view).enumerate().collect();
        self.ranking(query.view(), &documents)
    }

    /// As [`rerank`](super::rerank).
    ///
    /// # Errors
    /// As [`rerank`](super::rerank).
    pub fn rerank(
        &self,
        query: &Embedding,
        documents: &[Embedding],
        candidates: &[usize],
    ) -> Result<Vec<Ranked>> {
        let chosen = candidates.iter().map(|&index| {
            let document = documents.get(index).ok_or_else(|| {
                let expected = format!("positions below {}", documents.len());
                Error::option("candidates", expected, index)
            })?;
            Ok((index, document.view()))
        });
        self.ranking(query.view(), &chosen.collect::<Result<Vec<_>>>()?)
    }

    fn ranking(
        &self,
        query: ArrayView2<'_, f32>,
        documents: &[(usize, ArrayView2<'_, f32>)],
    ) -> Result<Vec<Ranked>> {
        let scores = self.scores(query, documents)?;
        let mut best = Best::new(documents.len());
        for ((index, _), score) in documents.iter().zip(scores) {
            best.offer(*index, score);
        }
        Ok(best.into_ranking())
    }

    /// The scores of documents, each with its position.
    fn scores(
        &self,
        query: ArrayView2<'_, f32>,
        documents: &[(usize, ArrayView2<'_, f32>)],
    ) -> Result<Vec<f32>> {
        let dim = query.ncols();
        for (index, document) in documents {
            if document.ncols() != dim {
                let what = format_args!("document {index}");
                return Err(Error::dimension_mismatch(what, dim, document.ncols()));
            }
        }
        check_query(query)?;
        let query = query.as_standard_layout();
        let packed = MaxSim::new(&[flat(&query)], dim, QueryFormat::Floats);
        let documents = documents.iter();
        let documents: Vec<_> = documents
            .map(|(index, document)| (*index, document.as_standard_layout()))
            .collect();
        let rows: Vec<&[f32]> = documents.iter().map(|(_, rows)| flat(rows)).collect();
        let mut scores = vec![0.; documents.len()];
        packed.scores_of(&rows, &mut scores, self.threads);
        match scores.iter().position(|score| !score.is_finite()) {
            Some(at) => {
                let rows = rows[at].chunks_exact(dim.max(1));
                Err(not_finite(documents[at].0, rows))
            }
            None => Ok(scores),
        }
    }
}

/// The values of a matrix in standard layout, row-major.
fn flat<'a>(rows: &'a CowArray<'_, f32, Ix2>) -> &'a [f32] {
    rows.as_slice().unwrap_or_default()
}
