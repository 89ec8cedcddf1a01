//! Running batches, and making embeddings of the backend's output.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::ArrayView3;

use crate::backend::{Padding, RunMode, TokenStates};
use crate::batch::{self, BatchShapes, Buckets, TokenBatch};
use crate::config::TextKind;
use crate::error::{Error, Result};
use crate::tokenize::TokenizedText;
use crate::trace::span;

use super::TextEncoder;
use super::heads::{Finish, Head, MultiVector};
use super::probe::OutputForm;
use super::workers::{Share, Workers};

/// A call that is run step by step; made by
/// [`TextEncoder::start`](super::TextEncoder::start).
///
/// For callers with something to do between batches: report progress, check
/// whether the user gave up, let other work run.
pub struct EncodeJob<H: Head = MultiVector> {
    encoder: TextEncoder<H>,
    kind: TextKind,
    texts: Vec<TokenizedText>,
    batches: Vec<Vec<usize>>,
    /// The shapes of batches, unless exact.
    buckets: Option<Buckets>,
    next: usize,
    /// Number of texts in the batches before `next`.
    done: usize,
    failures: Failures,
    /// What was read for each text whose batch is done.
    found: Vec<Option<Result<H::Part>>>,
}

/// What a text that fails does to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failures {
    /// Ends it.
    End,
    /// Nothing.
    Keep,
}

impl<H: Head> EncodeJob<H> {
    pub(super) fn new(encoder: TextEncoder<H>, texts: Vec<TokenizedText>, kind: TextKind) -> Self {
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
        // Texts without any token, not even a special one, are left out: a row
        // of mere padding could change the vectors of others.
        let shared = &encoder.shared;
        let known = |text: &TokenizedText| {
            let nothing = || shared.head.of_nothing(shared.width);
            let is_empty = text.is_empty();
            is_empty
                .then(nothing)
                .or_else(|| shared.head.of_tokens(text, kind))
        };
        let found: Vec<_> = texts.iter().map(|text| known(text).map(Ok)).collect();
        batches.retain_mut(|batch| {
            batch.retain(|&text| found[text].is_none());
            !batch.is_empty()
        });
        Self {
            found,
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
        encoder: TextEncoder<H>,
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
            job.found[at] = Some(Err(error));
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
    pub fn finish(self) -> Result<Vec<H::Output>> {
        self.finish_on(&mut Workers::default())
    }

    pub(super) fn finish_on(self, workers: &mut Workers) -> Result<Vec<H::Output>> {
        self.finish_each_on(workers)?.into_iter().collect()
    }

    pub(super) fn finish_each_on(
        mut self,
        workers: &mut Workers,
    ) -> Result<Vec<Result<H::Output>>> {
        let end = self.batches.len();
        for (at, rows) in (self.next..).zip(self.run_until(end, workers)?) {
            self.store(at, rows);
        }
        let TextEncoder { shared, plan, .. } = &self.encoder;
        let texts = self.texts.into_iter().zip(self.found.into_iter().flatten());
        let outputs: Vec<Result<H::Output>> = texts
            .map(|(text, part)| Ok(H::finish(part?, text, &shared.tokenizer)))
            .collect();
        let pooling = plan.pooling.filter(|_| self.kind == TextKind::Document);
        let Some(pooling) = pooling else {
            return Ok(outputs);
        };
        span!("pool", documents = outputs.len());
        let scheduling = shared.backend.scheduling();
        let share = Share {
            count: outputs.len(),
            most: scheduling.parallelism,
            lent: scheduling.threads,
        };
        let pooled = workers.map(share, |at| match &outputs[at] {
            Ok(output) => H::pooled(output, pooling),
            Err(_) => Ok(None),
        })?;
        let pairs = outputs.into_iter().zip(pooled);
        Ok(pairs
            .map(|(output, pooled)| pooled.map_or(output, Ok))
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
    fn run_until(&self, end: usize, workers: &mut Workers) -> Result<Vec<Parts<H>>> {
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
                return rows.swap_remove(failed).map(|_| Vec::new());
            }
            let texts = batches[at].len();
            let done = done.fetch_add(texts, Ordering::Relaxed) + texts;
            control.report(done, self.texts.len());
            Ok(rows)
        })
    }

    /// Runs one batch.
    fn run(&self, batch: &[usize], mode: RunMode) -> Result<Parts<H>> {
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
        let plan = &encoder.plan;
        let finish = Finish {
            normalization: plan.normalization,
            dimensions: plan.dimensions,
            renormalization: plan.renormalization,
            prompt_tokens: plan.layout(self.kind).prompt_tokens,
        };
        Ok(states
            .outer_iter()
            .zip(texts)
            .map(|(states, (&index, text))| {
                let part = encoder.shared.head.read(states, text, finish);
                part.map_err(|found| {
                    let index = encoder.control.in_stream(index);
                    Error::non_finite_vector(index, found.row, found.norm)
                })
            })
            .collect())
    }

    fn store(&mut self, batch: usize, parts: Parts<H>) {
        for (&text, part) in self.batches[batch].iter().zip(parts) {
            self.found[text] = Some(part);
        }
    }
}

/// What was read for each text of a batch.
type Parts<H> = Vec<Result<<H as Head>::Part>>;

/// The output of a batch, `[rows, length or 1, width]`.
fn shaped<'a, H: Head>(
    encoder: &TextEncoder<H>,
    input: &TokenBatch,
    states: &'a TokenStates,
) -> Result<ArrayView3<'a, f32>> {
    let positions = match encoder.shared.form {
        OutputForm::Tokens => input.length,
        OutputForm::Text => 1,
    };
    let shape = (input.rows, positions, encoder.shared.width);
    ArrayView3::from_shape(shape, &states.data).map_err(|_| {
        Error::model_mismatch(
            &encoder.info().model_file,
            "output",
            format_args!("{shape:?} values"),
            format_args!("{} values", states.data.len()),
        )
    })
}

impl<H: Head> fmt::Debug for EncodeJob<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodeJob")
            .field("kind", &self.kind)
            .field("texts", &self.texts.len())
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
