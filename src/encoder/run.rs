//! Batches through the backend, and its raw output to embeddings.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use crate::batch::{self, TokenBatch};
use crate::config::TextKind;
use crate::embedding::{Embedding, TokenSource};
use crate::error::{Error, Result};
use crate::tokenize::TokenizedText;

use super::{Encoder, Normalization};

/// An encoding in progress, batch by batch.
///
/// For callers that have something to do between batches: report progress,
/// see whether the user has given up, let other work run. Made by
/// [`Encoder::start`].
#[derive(Debug)]
pub struct EncodeJob {
    encoder: Encoder,
    kind: TextKind,
    texts: Vec<TokenizedText>,
    batches: Vec<Vec<usize>>,
    next: usize,
    matrices: Vec<Option<Array2<f32>>>,
}

impl EncodeJob {
    pub(super) fn new(encoder: Encoder, texts: Vec<TokenizedText>, kind: TextKind) -> Self {
        let lengths: Vec<usize> = texts.iter().map(TokenizedText::len).collect();
        let mut batches = batch::plan(&lengths, encoder.plan.batch_limit);
        // A text without any token, not even a special one, has nothing to
        // run, and its row of padding alone could spoil those of others.
        batches.retain_mut(|batch| {
            batch.retain(|&text| lengths[text] > 0);
            !batch.is_empty()
        });
        let empty = |length| (length == 0).then(|| Array2::zeros((0, encoder.dim())));
        Self {
            matrices: lengths.into_iter().map(empty).collect(),
            batches,
            next: 0,
            encoder,
            kind,
            texts,
        }
    }

    /// Runs the next batch and returns how many texts it had; `None` when all
    /// are done.
    ///
    /// # Errors
    /// [`Error::Inference`] if the engine fails. The batch is then tried again
    /// by the next call.
    pub fn run_next(&mut self) -> Result<Option<usize>> {
        let Some(batch) = self.batches.get(self.next) else {
            return Ok(None);
        };
        let rows = run_one(&self.encoder, batch, &self.texts)?;
        let done = batch.len();
        self.store(self.next, rows);
        self.next += 1;
        Ok(Some(done))
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Runs what is left, on as many workers as the backend can use, and
    /// returns the embeddings in input order.
    ///
    /// # Errors
    /// [`Error::Inference`] if the engine fails.
    pub fn finish(mut self) -> Result<Vec<Embedding>> {
        let outputs = run_all(&self.encoder, &self.batches[self.next..], &self.texts)?;
        for (at, rows) in (self.next..).zip(outputs) {
            self.store(at, rows);
        }
        let encoder = &self.encoder;
        let pooling = encoder
            .plan
            .pooling
            .filter(|_| self.kind == TextKind::Document);
        Ok(self
            .texts
            .into_iter()
            .zip(self.matrices.into_iter().flatten())
            .map(|(text, matrix)| {
                let source = TokenSource::new(encoder.shared.tokenizer.clone(), text);
                let embedding = Embedding::with_source(matrix, source);
                match pooling {
                    Some(pooling) => embedding.pooled(pooling),
                    None => embedding,
                }
            })
            .collect())
    }

    fn store(&mut self, batch: usize, rows: Vec<Array2<f32>>) {
        for (&text, matrix) in self.batches[batch].iter().zip(rows) {
            self.matrices[text] = Some(matrix);
        }
    }
}

/// Runs batches on as many workers as the backend can use; results in the
/// order of the batches. The first failure ends the others.
fn run_all(
    encoder: &Encoder,
    batches: &[Vec<usize>],
    texts: &[TokenizedText],
) -> Result<Vec<Vec<Array2<f32>>>> {
    let one = |batch: &Vec<usize>| run_one(encoder, batch, texts);
    let workers = encoder.shared.backend.concurrency().min(batches.len());
    if workers <= 1 {
        return batches.iter().map(one).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<_>>>> = Mutex::new(batches.iter().map(|_| None).collect());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(at) else { break };
            let result = one(batch);
            if result.is_err() {
                next.store(batches.len(), Ordering::Relaxed);
            }
            let mut results = results.lock().unwrap_or_else(|lock| lock.into_inner());
            results[at] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let results = results
        .into_inner()
        .unwrap_or_else(|lock| lock.into_inner());
    let (failed, done): (Vec<_>, Vec<_>) = results.into_iter().flatten().partition(Result::is_err);
    failed.into_iter().chain(done).collect()
}

fn run_one(
    encoder: &Encoder,
    batch: &[usize],
    texts: &[TokenizedText],
) -> Result<Vec<Array2<f32>>> {
    let members = batch.iter().map(|&text| &texts[text]);
    let input = TokenBatch::new(members.clone(), encoder.shared.tokenizer.pad_id());
    let states = encoder.shared.backend.run(&input)?;
    let shape = (input.rows, input.length, encoder.dim());
    let states = ArrayView3::from_shape(shape, &states.data).map_err(|_| Error::ModelMismatch {
        file: encoder.info().model_file.clone(),
        what: "output".to_owned(),
        expected: format!("{shape:?} values"),
        found: format!("{} values", states.data.len()),
    })?;
    Ok(states
        .outer_iter()
        .zip(members)
        .map(|(rows, text)| keep(rows, text, encoder.plan.normalization))
        .collect())
}

/// The kept rows of one text, normalized: `[tokens, dim]`.
fn keep(
    states: ArrayView2<'_, f32>,
    text: &TokenizedText,
    normalization: Normalization,
) -> Array2<f32> {
    let kept: Vec<usize> = (0..text.len()).filter(|&at| text.kept()[at]).collect();
    let mut matrix = states.select(Axis(0), &kept);
    if normalization == Normalization::L2 {
        for mut row in matrix.rows_mut() {
            // The lower bound is that of `torch.nn.functional.normalize`.
            let norm = row.dot(&row).sqrt().max(1e-12);
            row /= norm;
        }
    }
    matrix
}
