//! Which texts share a batch.

use super::BatchLimit;
use crate::sort::sort_positions;

/// Most tokens of padding per text, and of padding that a batch may always
/// have: about the cost of a batch of its own.
pub const PADDING_TOKENS: usize = 64;

/// Beyond [`PADDING_TOKENS`], at most one token in this many is padding.
pub const PADDING_SHARE: usize = 8;

/// Fewest tokens per worker for which batches are split so that no worker is
/// idle. With fewer, the engine's own threads do better on a whole batch.
const LEAST_TO_OCCUPY: usize = 512;

/// Fewest tokens per worker for which batches are split so that busy workers
/// finish at the same time.
const LEAST_TO_BALANCE: usize = 128;

/// Groups texts of similar length into batches that `workers` run in parallel:
/// positions in `lengths`, longest first, each exactly once. Texts of equal
/// length keep their order.
///
/// No batch exceeds `limit`. The padding of a batch is at most
/// [`PADDING_TOKENS`] or one token in [`PADDING_SHARE`], whichever is more,
/// that of a text at most [`PADDING_TOKENS`]. Batches are split where workers
/// would otherwise be idle.
pub fn plan(lengths: &[usize], limit: BatchLimit, workers: usize) -> Vec<Vec<usize>> {
    let packing = Packing {
        lengths,
        limit,
        padding: PADDING_TOKENS,
        most: usize::MAX,
    };
    packing.plan(workers)
}

/// As [`plan`], with texts of equal length in each batch.
pub fn plan_unpadded(lengths: &[usize], limit: BatchLimit, workers: usize) -> Vec<Vec<usize>> {
    let packing = Packing {
        lengths,
        limit,
        padding: 0,
        most: usize::MAX,
    };
    packing.plan(workers)
}

/// Positions of texts; those of equal length keep their order.
pub(super) fn longest_first(lengths: &[usize]) -> Vec<usize> {
    sort_positions(lengths.len(), &|one, other| {
        lengths[other].cmp(&lengths[one])
    })
}

/// The time until all batches are done, in tokens, if each worker takes the
/// next batch when it has finished one.
fn duration(batches: &[Vec<usize>], lengths: &[usize], workers: usize) -> usize {
    let mut busy = vec![0; workers];
    for batch in batches {
        let size = batch.len() * batch.first().map_or(0, |&text| lengths[text]);
        if let Some(least) = busy.iter_mut().min() {
            *least += size + PADDING_TOKENS;
        }
    }
    busy.into_iter().max().unwrap_or(0)
}

#[derive(Clone, Copy)]
struct Packing<'a> {
    lengths: &'a [usize],
    limit: BatchLimit,
    /// Most tokens of padding per text.
    padding: usize,
    /// Most tokens of a batch, including padding.
    most: usize,
}

impl Packing<'_> {
    fn plan(self, workers: usize) -> Vec<Vec<usize>> {
        let Self { lengths, .. } = self;
        let order = longest_first(lengths);
        let whole = self.batches(&order);
        let tokens: usize = lengths.iter().sum();
        let share = tokens / whole.len().next_multiple_of(workers.max(1)).max(1);
        let least = if whole.len() < workers {
            LEAST_TO_OCCUPY
        } else {
            LEAST_TO_BALANCE
        };
        if workers <= 1 || share < least {
            return whole;
        }
        let longest = lengths[order[0]];
        // Whole texts rarely add up to a share: allow one more, or one less.
        let smaller = [share + longest - 1, share].map(|most| {
            let packing = Self { most, ..self };
            packing.batches(&order)
        });
        let plans = std::iter::once(whole).chain(smaller);
        plans
            .min_by_key(|batches| duration(batches, lengths, workers))
            .unwrap_or_default()
    }

    fn batches(&self, order: &[usize]) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let (mut longest, mut tokens) = (0, 0);
        for &text in order {
            let length = self.lengths[text];
            match batches.last_mut() {
                Some(batch)
                    if longest - length <= self.padding
                        && self.admits([batch.len() + 1, longest], tokens + length) =>
                {
                    batch.push(text);
                    tokens += length;
                }
                _ => {
                    (longest, tokens) = (length, length);
                    batches.push(vec![text]);
                }
            }
        }
        batches
    }

    /// Whether a batch of shape `[rows, length]`, `tokens` of them of texts, is
    /// within all bounds.
    fn admits(&self, [rows, length]: [usize; 2], tokens: usize) -> bool {
        let size = rows.saturating_mul(length);
        let padding = size.saturating_sub(tokens);
        self.limit.admits(rows, length)
            && size <= self.most
            && padding <= (size / PADDING_SHARE).max(PADDING_TOKENS)
    }
}
