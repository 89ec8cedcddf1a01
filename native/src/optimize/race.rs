//! Times both forms of a graph, to run the faster one.
//!
//! They never run at the same time, to save memory. So where the original one
//! seems to be faster it is opened and timed again, before and after the other.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use multivec_core::batch::TokenBatch;
use multivec_core::equivalence::{Probes, sample_batch};
use multivec_core::tokenize::TextTokenizer;
use multivec_core::{Backend, BackendInfo, FormTimes, Result, RunMode, TokenStates, speed_up};

/// Texts and tokens of batches that are shorter than the probes.
const SHORT: [[usize; 2]; 2] = [[1, 8], [8, 24]];
/// What may be spent on a form beyond a run of each probe.
const BUDGET: Duration = Duration::from_millis(150);
/// Runs of a batch beyond which its least time changes little.
const MOST_RUNS: usize = 20;
/// A lead that is not noise.
const LEAD: f64 = 0.05;
/// A difference that other work hides, such as tokenizing.
const SMALLEST: Duration = Duration::from_micros(100);

/// The batches that both forms run.
pub(super) struct Race<'a> {
    probes: &'a Probes,
    short: [TokenBatch; 2],
}

impl<'a> Race<'a> {
    /// For a model of texts of up to `length` tokens.
    pub(super) fn new(probes: &'a Probes, tokenizer: &TextTokenizer, length: usize) -> Self {
        let batch =
            |[rows, tokens]: [usize; 2]| sample_batch(tokenizer, [rows, tokens.min(length).max(1)]);
        Self {
            probes,
            short: SHORT.map(batch),
        }
    }

    /// Times a form from the start.
    pub(super) fn time(&self, backend: &dyn Backend) -> Vec<BatchTime> {
        let watch = Stopwatch::new(backend);
        if self.probes.run(&watch).is_ok() {
            self.go_on(&watch);
        }
        watch.times()
    }

    /// Times a form that has run the probes.
    pub(super) fn go_on(&self, watch: &Stopwatch<'_>) {
        let start = Instant::now();
        for _ in 0..MOST_RUNS {
            let mut ran = false;
            for batch in self.short.iter().chain(self.probes.batches()) {
                let left = BUDGET.saturating_sub(start.elapsed());
                if watch.expected(batch) > left {
                    continue;
                }
                // What does not run loses, or was reported by the caller.
                if watch.run(batch, RunMode::Exclusive).is_err() {
                    return;
                }
                ran = true;
            }
            if !ran {
                return;
            }
        }
    }
}

/// The least time of a batch's runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchTime {
    /// Texts, and tokens of each.
    shape: [usize; 2],
    least: Duration,
}

/// A backend whose runs are timed.
pub(super) struct Stopwatch<'a> {
    backend: &'a dyn Backend,
    times: Mutex<Vec<BatchTime>>,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn new(backend: &'a dyn Backend) -> Self {
        Self {
            backend,
            times: Mutex::default(),
        }
    }

    /// In the order of their first runs.
    pub(super) fn times(&self) -> Vec<BatchTime> {
        self.times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How long a batch should take: as last time, or by its tokens as the largest
    /// one so far.
    fn expected(&self, batch: &TokenBatch) -> Duration {
        let times = self.times();
        let shape = [batch.rows, batch.length];
        if let Some(seen) = times.iter().find(|seen| seen.shape == shape) {
            return seen.least;
        }
        let tokens = |[rows, length]: [usize; 2]| (rows * length).max(1) as f64;
        let largest = times
            .iter()
            .max_by(|left, right| tokens(left.shape).total_cmp(&tokens(right.shape)));
        largest.map_or(Duration::ZERO, |seen| {
            seen.least.mul_f64(tokens(shape) / tokens(seen.shape))
        })
    }
}

impl Backend for Stopwatch<'_> {
    fn info(&self) -> &BackendInfo {
        self.backend.info()
    }

    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates> {
        let start = Instant::now();
        let states = self.backend.run(batch, mode)?;
        let time = start.elapsed();
        let shape = [batch.rows, batch.length];
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match times.iter_mut().find(|seen| seen.shape == shape) {
            Some(seen) => seen.least = seen.least.min(time),
            None => times.push(BatchTime { shape, least: time }),
        }
        Ok(states)
    }
}

/// The times of batches that both forms ran, the shortest batch first.
pub(super) fn beside(original: &[BatchTime], fused: &[BatchTime]) -> Vec<FormTimes> {
    let pair = |one: &BatchTime| {
        let other = fused.iter().find(|other| other.shape == one.shape)?;
        Some(FormTimes::new(one.shape, one.least, other.least))
    };
    let mut times: Vec<FormTimes> = original.iter().filter_map(pair).collect();
    times.sort_by_key(|one| (one.rows * one.length, one.rows));
    times
}

/// The longer times of two measurements, of batches that are in both.
pub(super) fn slower(first: &[BatchTime], second: &[BatchTime]) -> Vec<BatchTime> {
    let longer = |one: &BatchTime| {
        let other = second.iter().find(|other| other.shape == one.shape)?;
        Some(BatchTime {
            shape: one.shape,
            least: one.least.max(other.least),
        })
    };
    first.iter().filter_map(longer).collect()
}

/// Whether the original form is so much faster, over short and long batches, that
/// it should run. One form runs all batches, since both would take the memory of
/// two models.
pub(super) fn original_leads(times: &[FormTimes]) -> bool {
    let noticed = |one: &FormTimes| {
        if one.original.abs_diff(one.fused) < SMALLEST {
            FormTimes::new([one.rows, one.length], one.original, one.original)
        } else {
            *one
        }
    };
    let times: Vec<FormTimes> = times.iter().map(noticed).collect();
    speed_up(&times) < 1. - LEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(found: &[[u64; 4]]) -> Vec<FormTimes> {
        let times = found.iter().map(|&[rows, length, original, fused]| {
            let shape = [rows, length].map(|size| size as usize);
            let [original, fused] = [original, fused].map(Duration::from_micros);
            FormTimes::new(shape, original, fused)
        });
        times.collect()
    }

    #[test]
    fn the_original_runs_where_it_is_clearly_faster() {
        let faster = times(&[[1, 8, 2_000, 2_400], [8, 24, 30_000, 36_000]]);
        assert!(original_leads(&faster));
        let within_noise = times(&[[1, 8, 2_000, 2_060], [8, 24, 30_000, 30_900]]);
        assert!(!original_leads(&within_noise));
        let slower = times(&[[1, 8, 2_000, 1_500], [8, 24, 30_000, 20_000]]);
        assert!(!original_leads(&slower));
        assert!(!original_leads(&[]));
    }

    #[test]
    fn where_forms_cross_the_larger_lead_decides() {
        let long = times(&[[1, 8, 2_000, 2_300], [1, 192, 60_000, 40_000]]);
        assert!(!original_leads(&long));
        let short = times(&[[1, 8, 2_000, 4_000], [1, 192, 60_000, 55_000]]);
        assert!(original_leads(&short));
    }

    #[test]
    fn what_cannot_be_noticed_does_not_count() {
        let tiny = times(&[[1, 8, 50, 90], [8, 24, 200, 290]]);
        assert!(!original_leads(&tiny));
    }

    #[test]
    fn forms_are_compared_on_batches_that_both_ran() {
        let time = |shape, least| BatchTime {
            shape,
            least: Duration::from_micros(least),
        };
        let original = [time([1, 192], 900), time([1, 8], 100)];
        let again = [time([1, 8], 120), time([1, 192], 800), time([8, 24], 1)];
        let fused = [time([1, 8], 60), time([1, 192], 500), time([2, 192], 1)];
        let expected = times(&[[1, 8, 120, 60], [1, 192, 900, 500]]);
        assert_eq!(beside(&slower(&original, &again), &fused), expected);
    }
}
