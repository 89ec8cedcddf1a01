//! Searching a corpus.

use std::ops::Range;

use multivec_kernels::{DocumentRows, Documents, MaxSim, Parallel, QueryFormat, Serial};

use super::Corpus;
use super::format::Segment;
use super::precision::VectorPrecision;
use crate::embedding::Embedding;
use crate::encoder::Cancellation;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::score::{Best, Ranked, check_query};

/// Multiply-adds between two looks at the cancellation: some milliseconds.
const PIECE: usize = 1 << 28;

/// How a corpus is searched.
#[derive(Clone, Copy)]
pub struct SearchOptions<'a> {
    most: usize,
    threads: &'a dyn Parallel,
    cancellation: Option<&'a Cancellation>,
    among: Option<&'a [usize]>,
    fingerprint: Option<&'a Fingerprint>,
}

impl<'a> SearchOptions<'a> {
    /// Finds the best `most` documents of all, on the calling thread.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            threads: &Serial,
            cancellation: None,
            among: None,
            fingerprint: None,
        }
    }

    /// Runs on these threads.
    #[must_use]
    pub fn with_threads(mut self, threads: &'a dyn Parallel) -> Self {
        self.threads = threads;
        self
    }

    /// Ends with [`Error::Cancelled`] once this switch is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: &'a Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Searches these documents alone, such as what [`Corpus::positions`] finds
    /// for ids. Of equal scores, those that are named first are first.
    #[must_use]
    pub fn among(mut self, documents: &'a [usize]) -> Self {
        self.among = Some(documents);
        self
    }

    /// Refuses the queries of an encoder with this fingerprint, unless the corpus
    /// is of the same space.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: &'a Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }
}

impl std::fmt::Debug for SearchOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchOptions")
            .field("most", &self.most)
            .field("threads", &self.threads.threads())
            .field("among", &self.among.map(<[_]>::len))
            .finish_non_exhaustive()
    }
}

impl Corpus {
    /// The best `most` documents for a query, on the calling thread; equal scores
    /// keep the documents' order.
    ///
    /// # Errors
    /// As [`search_many`](Self::search_many).
    pub fn search(&self, query: &Embedding, most: usize) -> Result<Vec<Ranked>> {
        self.search_one(query, &SearchOptions::new(most))
    }

    /// The best of the documents at the positions `candidates`, such as the hits of
    /// another search; equal scores keep the candidates' order.
    ///
    /// # Errors
    /// As [`search_many`](Self::search_many).
    pub fn rerank(
        &self,
        query: &Embedding,
        candidates: &[usize],
        most: usize,
    ) -> Result<Vec<Ranked>> {
        self.search_one(query, &SearchOptions::new(most).among(candidates))
    }

    fn search_one(&self, query: &Embedding, options: &SearchOptions<'_>) -> Result<Vec<Ranked>> {
        let found = self.search_many(std::slice::from_ref(query), options)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The best documents for each query. All queries are compared with a document
    /// while it is in the caches.
    ///
    /// # Errors
    /// [`Error::FingerprintMismatch`] for queries of another space,
    /// [`Error::DimensionMismatch`] for rows of another length,
    /// [`Error::InvalidOption`] for queries that are not finite and for positions
    /// without a document, [`Error::NonFiniteVector`] for a damaged document, and
    /// [`Error::Cancelled`].
    pub fn search_many(
        &self,
        queries: &[Embedding],
        options: &SearchOptions<'_>,
    ) -> Result<Vec<Vec<Ranked>>> {
        if let Some(fingerprint) = options.fingerprint {
            self.check_space(fingerprint)?;
        }
        let dim = self.space().dim;
        for (at, query) in queries.iter().enumerate() {
            if query.dim() != dim && query.tokens() > 0 {
                let what = format_args!("query {at}");
                return Err(Error::dimension_mismatch(what, dim, query.dim()));
            }
            check_query(query.view())?;
        }
        let format = match self.space().precision {
            VectorPrecision::F32 | VectorPrecision::F16 => QueryFormat::Floats,
            VectorPrecision::Int8 | VectorPrecision::Bits => QueryFormat::Integers,
        };
        let rows: Vec<&[f32]> = queries.iter().map(Embedding::as_slice).collect();
        let mut search = Search {
            corpus: self,
            queries: MaxSim::new(&rows, dim, format),
            query_rows: queries.iter().map(Embedding::tokens).sum(),
            options,
            scores: Vec::new(),
            best: (0..queries.len())
                .map(|_| Best::new(options.most))
                .collect(),
            done: 0,
        };
        match options.among {
            None => {
                for segment in &self.segments {
                    search.range(segment, segment.first..segment.end())?;
                }
            }
            Some(documents) => search.among(documents)?,
        }
        let best = search.best.into_iter();
        Ok(best.map(Best::into_ranking).collect())
    }
}

/// A search in progress.
struct Search<'a> {
    corpus: &'a Corpus,
    queries: MaxSim,
    query_rows: usize,
    options: &'a SearchOptions<'a>,
    /// Of one piece, `[documents, queries]`.
    scores: Vec<f32>,
    best: Vec<Best>,
    /// Documents that were compared.
    done: usize,
}

impl Search<'_> {
    /// Compares documents that are named: those that follow each other together.
    fn among(&mut self, documents: &[usize]) -> Result<()> {
        let mut rest = documents;
        while let Some(&first) = rest.first() {
            let Some(segment) = self.corpus.segment_of(first) else {
                let expected = format!("positions below {}", self.corpus.len());
                return Err(Error::option("candidates", expected, first));
            };
            let run = (first..segment.end())
                .zip(rest)
                .take_while(|(expected, found)| expected == *found)
                .count();
            self.range(segment, first..first + run)?;
            rest = &rest[run..];
        }
        Ok(())
    }

    /// Compares documents of a segment, piece by piece.
    fn range(&mut self, segment: &Segment, documents: Range<usize>) -> Result<()> {
        let per_row = self.query_rows.max(1) * self.corpus.space().dim;
        let most_rows = (PIECE / per_row).max(1) * self.options.threads.threads();
        let mut first = documents.start;
        while first < documents.end {
            let start = segment.rows_of(first).start;
            let ends = &segment.ends[first - segment.first..documents.end - segment.first];
            // At least one document, and few enough that scores stay small.
            let count = ends
                .partition_point(|&end| end - start <= most_rows)
                .clamp(1, most_rows.min(ends.len()));
            self.piece(segment, first..first + count)?;
            first += count;
        }
        Ok(())
    }

    fn piece(&mut self, segment: &Segment, documents: Range<usize>) -> Result<()> {
        if let Some(cancellation) = self.options.cancellation
            && cancellation.is_cancelled()
        {
            return Err(Error::cancelled(self.done));
        }
        let start = segment.rows_of(documents.start).start;
        let at = documents.start - segment.first..documents.end - segment.first;
        let ends: Vec<usize> = segment.ends[at].iter().map(|end| end - start).collect();
        let rows = start..start + ends.last().copied().unwrap_or(0);
        let rows = rows_of(self.corpus, segment, rows);
        let queries = self.best.len();
        self.scores.resize(ends.len() * queries, 0.);
        let pieces = Documents { rows, ends: &ends };
        self.queries
            .scores(pieces, &mut self.scores, self.options.threads);
        for (document, scores) in documents
            .clone()
            .zip(self.scores.chunks_exact(queries.max(1)))
        {
            for (best, &score) in self.best.iter_mut().zip(scores) {
                if !score.is_finite() {
                    return Err(self.broken(segment, document));
                }
                best.offer(document, score);
            }
        }
        self.done += documents.len();
        Ok(())
    }

    /// The error of a document whose products are not finite.
    fn broken(&self, segment: &Segment, document: usize) -> Error {
        let (space, rows) = (self.corpus.space(), segment.rows_of(document));
        let stored = rows_of(self.corpus, segment, rows);
        let (bytes, columns) = match space.precision {
            VectorPrecision::F32 => (stored.bytes, space.dim),
            _ => (stored.scales, 1),
        };
        let (values, _) = bytes.as_chunks::<4>();
        let is_finite = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).is_finite();
        match values.iter().position(|bytes| !is_finite(bytes)) {
            Some(at) => self.corpus.invalid(
                format!("vectors of finite numbers in document {document}"),
                format!("another one in its row {}", at / columns),
            ),
            None => {
                let expected =
                    format!("numbers whose products with document {document} are finite");
                Error::option("query", expected, "larger ones")
            }
        }
    }
}

/// Rows of a segment.
fn rows_of<'a>(corpus: &'a Corpus, segment: &Segment, rows: Range<usize>) -> DocumentRows<'a> {
    let (bytes, space) = (corpus.part(segment), corpus.space());
    let part = |of: &Range<usize>, size: usize| {
        let range = of.start + rows.start * size..of.start + rows.end * size;
        // Ranges were checked when the corpus was opened.
        bytes.get(range).unwrap_or_default()
    };
    DocumentRows {
        format: space.precision.row_format(),
        bytes: part(&segment.vectors, space.precision.row_size(space.dim)),
        scales: part(&segment.scales, space.precision.scale_size()),
    }
}
