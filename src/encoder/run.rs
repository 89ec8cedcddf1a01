//! Running batches, and making embeddings of the backend's output.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView2, ArrayView3};

use crate::backend::{Padding, RunMode, TokenStates};
use crate::batch::{self, BatchShapes, Buckets, TokenBatch};
use crate::config::TextKind;
use crate::embedding::{Embedding, TokenSource};
use crate::error::{Error, Result};
use crate::normalization::{NonFiniteRow, Normalization};
use crate::tokenize::TokenizedText;
use crate::trace::span;

use super::Encoder;
use super::workers::{Share, Workers};

/// A call that is run step by step; made by [`Encoder::start`].
///
/// For callers with something to do between batches: report progress, check
/// whether the user gave up, let other work run.
#[derive(Debug)]
pub struct EncodeJob {
    encoder: Encoder,
    kind: TextKind,
    texts: Vec<TokenizedText>,
    batches: Vec<Vec<usize>>,
    /// The shapes of batches, unless exact.
    buckets: Option<Buckets>,
    next: usize,
    /// Number of texts in the batches before `next`.
    done: usize,
    failures: Failures,
    /// A matrix `[tokens, dim]` for each text whose batch is done.
    matrices: Vec<Option<Result<Array2<f32>>>>,
}

/// What a text that fails does to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failures {
    /// Ends it.
    End,
    /// Nothing.
    Keep,
}

impl EncodeJob {
    pub(super) fn new(encoder: Encoder, texts: Vec<TokenizedText>, kind: TextKind) -> Self {
        let padding = encoder.info().padding;
        let lengths: Vec<usize> = texts.iter().map(TokenizedText::len).collect();
        let limit = encoder.plan.batch_limit;
        let scheduling = encoder.shared.backend.scheduling();
        let limit = limit.or_tokens(scheduling.batch_tokens);
        let shapes = match (encoder.plan.batch_shapes, padding) {
            (BatchShapes::Auto, Padding::Avoided { .. }) => BatchShapes::Exact,
            (BatchShapes::Auto, Padding::Allowed) => scheduling.batch_shapes,
            (shapes, _) => shapes,
        };
        let has_buckets = shapes == BatchShapes::Buckets;
        let buckets = has_buckets.then(|| Buckets {
            longest: encoder.plan.layout(kind).length,
            limit,
        });
        let workers = encoder.concurrency();
        let mut batches = match (&buckets, padding) {
            (Some(buckets), _) => buckets.plan(&lengths),
            (None, Padding::Allowed) => batch::plan(&lengths, limit, workers),
            (None, Padding::Avoided { .. }) => batch::plan_unpadded(&lengths, limit, workers),
        };
        // Leave out texts without any token, not even a special one: a row of
        // mere padding could change the vectors of others.
        batches.retain_mut(|batch| {
            batch.retain(|&text| lengths[text] > 0);
            !batch.is_empty()
        });
        let empty = |length| (length == 0).then(|| Ok(Array2::zeros((0, encoder.dim()))));
        Self {
            matrices: lengths.into_iter().map(empty).collect(),
            batches,
            buckets,
            next: 0,
            done: 0,
            failures: Failures::End,
            encoder,
            kind,
            texts,
        }
    }

    /// A job that fails texts one by one: those whose tokenization failed, and
    /// those whose vectors are not finite.
    pub(super) fn of_each(
        encoder: Encoder,
        texts: Vec<Result<TokenizedText>>,
        kind: TextKind,
    ) -> Self {
        let mut failed = Vec::new();
        let texts = texts.into_iter().enumerate().map(|(at, text)| {
            // A text without tokens is in no batch.
            text.unwrap_or_else(|error| {
                failed.push((at, error));
                TokenizedText::default()
            })
        });
        let texts = texts.collect();
        let mut job = Self::new(encoder, texts, kind);
        job.failures = Failures::Keep;
        for (at, error) in failed {
            job.matrices[at] = Some(Err(error));
        }
        job
    }

    /// Runs the next batch and returns its number of texts; `None` if all
    /// batches are done.
    ///
    /// # Errors
    /// [`Error::Inference`] if the engine fails, [`Error::NonFiniteVector`] for
    /// a text with such a vector, [`Error::Cancelled`] and
    /// [`Error::DeadlineExceeded`] as the encoder's control says. The next call
    /// tries the batch again.
    pub fn run_next(&mut self) -> Result<Option<usize>> {
        self.run_up_to(1)
    }

    /// As [`run_next`](Self::run_next), with as many batches as the backend
    /// runs in parallel.
    ///
    /// # Errors
    /// Those of [`run_next`](Self::run_next).
    pub fn run_round(&mut self) -> Result<Option<usize>> {
        let (workers, _) = self.run_mode();
        self.run_up_to(workers)
    }

    fn run_up_to(&mut self, batches: usize) -> Result<Option<usize>> {
        let end = (self.next + batches).min(self.batches.len());
        if self.next == end {
            return Ok(None);
        }
        let found = self.run_until(end, &mut Workers::default())?;
        let before = self.done;
        for (at, rows) in (self.next..).zip(found) {
            self.done += self.batches[at].len();
            self.store(at, rows);
        }
        self.next = end;
        Ok(Some(self.done - before))
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Runs the remaining batches and returns the embeddings of all texts in
    /// input order.
    ///
    /// # Errors
    /// Those of [`run_next`](Self::run_next).
    pub fn finish(self) -> Result<Vec<Embedding>> {
        self.finish_on(&mut Workers::default())
    }

    pub(super) fn finish_on(self, workers: &mut Workers) -> Result<Vec<Embedding>> {
        self.finish_each_on(workers)?.into_iter().collect()
    }

    pub(super) fn finish_each_on(
        mut self,
        workers: &mut Workers,
    ) -> Result<Vec<Result<Embedding>>> {
        let end = self.batches.len();
        for (at, rows) in (self.next..).zip(self.run_until(end, workers)?) {
            self.store(at, rows);
        }
        let Encoder { shared, plan, .. } = &self.encoder;
        let pooling = plan.pooling.filter(|_| self.kind == TextKind::Document);
        let texts = self.texts.into_iter();
        let matrices = self.matrices.into_iter().flatten();
        let embeddings: Vec<Result<Embedding>> = texts
            .zip(matrices)
            .map(|(text, matrix)| {
                let source = TokenSource::new(shared.tokenizer.clone(), text);
                Ok(Embedding::with_source(matrix?, source))
            })
            .collect();
        let Some(pooling) = pooling else {
            return Ok(embeddings);
        };
        span!("pool", documents = embeddings.len());
        let scheduling = shared.backend.scheduling();
        let share = Share {
            count: embeddings.len(),
            most: scheduling.parallelism,
            lent: scheduling.threads,
        };
        let pooled = workers.map(share, |at| match &embeddings[at] {
            Ok(embedding) => embedding.pooled(pooling).map(Some),
            Err(_) => Ok(None),
        })?;
        let pairs = embeddings.into_iter().zip(pooled);
        Ok(pairs
            .map(|(embedding, pooled)| pooled.map_or(embedding, Ok))
            .collect())
    }

    /// How many workers run the remaining batches, and in which mode.
    fn run_mode(&self) -> (usize, RunMode) {
        let left = self.batches.len() - self.next;
        let concurrency = self.encoder.concurrency();
        // Few batches would leave most workers idle; one after the other, each
        // is run by all the engine's threads.
        if left * 2 > concurrency && left > 1 {
            (concurrency, RunMode::Shared)
        } else {
            (1, RunMode::Exclusive)
        }
    }

    /// Runs the batches before `end`; results in their order.
    fn run_until(&self, end: usize, workers: &mut Workers) -> Result<Vec<Matrices>> {
        let batches = &self.batches[self.next..end];
        let (most, mode) = match batches.len() {
            0 | 1 => (1, RunMode::Exclusive),
            _ => self.run_mode(),
        };
        let control = &self.encoder.control;
        let done = AtomicUsize::new(self.done);
        let share = Share {
            count: batches.len(),
            most,
            lent: self.encoder.shared.backend.scheduling().threads,
        };
        workers.map(share, |at| {
            control.check(done.load(Ordering::Relaxed))?;
            let mut rows = self.run(&batches[at], mode)?;
            if self.failures == Failures::End
                && let Some(failed) = rows.iter().position(Result::is_err)
            {
                return rows.swap_remove(failed).map(|_| Matrices::new());
            }
            let texts = batches[at].len();
            let done = done.fetch_add(texts, Ordering::Relaxed) + texts;
            control.report(done, self.texts.len());
            Ok(rows)
        })
    }

    /// Runs one batch.
    fn run(&self, batch: &[usize], mode: RunMode) -> Result<Matrices> {
        let encoder = &self.encoder;
        let members = batch.iter().map(|&text| &self.texts[text]);
        let longest = members.clone().map(TokenizedText::len).max().unwrap_or(0);
        let shape = match &self.buckets {
            None => [batch.len(), longest],
            Some(buckets) => buckets.shape(batch.len(), longest),
        };
        let pad_id = encoder.shared.tokenizer.pad_id();
        let [rows, length] = shape;
        span!("batch", texts = batch.len(), rows = rows, length = length);
        let input = TokenBatch::new(shape, members.clone(), pad_id);
        let states = encoder.shared.backend.run(&input, mode)?;
        let states = shaped(encoder, &input, &states)?;
        let texts = batch.iter().zip(members);
        Ok(states
            .outer_iter()
            .zip(texts)
            .map(|(rows, (&index, text))| {
                let rows = kept_rows(rows, text, encoder.plan.normalization);
                rows.map_err(|found| {
                    let index = encoder.control.in_stream(index);
                    Error::non_finite_vector(index, found.row, found.norm)
                })
            })
            .collect())
    }

    fn store(&mut self, batch: usize, rows: Matrices) {
        for (&text, matrix) in self.batches[batch].iter().zip(rows) {
            self.matrices[text] = Some(matrix);
        }
    }
}

/// A matrix `[tokens, dim]` for each text of a batch.
type Matrices = Vec<Result<Array2<f32>>>;

/// The output of a batch, `[rows, length, dim]`.
fn shaped<'a>(
    encoder: &Encoder,
    input: &TokenBatch,
    states: &'a TokenStates,
) -> Result<ArrayView3<'a, f32>> {
    let shape = (input.rows, input.length, encoder.dim());
    ArrayView3::from_shape(shape, &states.data).map_err(|_| {
        Error::model_mismatch(
            &encoder.info().model_file,
            "output",
            format_args!("{shape:?} values"),
            format_args!("{} values", states.data.len()),
        )
    })
}

/// The kept rows of one text, `[tokens, dim]`.
fn kept_rows(
    states: ArrayView2<'_, f32>,
    text: &TokenizedText,
    normalization: Normalization,
) -> Result<Array2<f32>, NonFiniteRow> {
    let count = text.kept().iter().filter(|&&kept| kept).count();
    let mut matrix = Array2::zeros((count, states.ncols()));
    let rows = states.outer_iter().zip(text.kept());
    let kept = rows.filter(|(_, kept)| **kept);
    for (mut row, (states, _)) in matrix.rows_mut().into_iter().zip(kept) {
        row.assign(&states);
    }
    normalization.apply(&mut matrix)?;
    Ok(matrix)
}
